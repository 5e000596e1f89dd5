"""Collections and saved searches on the page."""

import json
import re

from playwright.sync_api import expect

from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes, names
from tests.server.page.conftest import OpenPage, Served, Watch
from tests.server.page.test_access import check


def test_photos_are_collected_shown_exported_and_removed(own: Served, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("422")  # photos do not go into an indexed folder
    page = open_page(own)
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    order = names(page)
    tiles = page.locator(".tile .open")
    tiles.nth(0).click(modifiers=["Control"])
    tiles.nth(2).click(modifiers=["Control"])
    page.locator("#selection-collect").click()
    check(page)
    page.locator("#collections-name").fill("Bars")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("2 photos added to Bars.")
    expect(page.locator("#selection")).to_be_hidden()
    # A third one, into the same.
    tiles.nth(1).click(modifiers=["Control"])
    page.locator("#selection-collect").click()
    page.locator("#collections-list").get_by_text("Bars").click()
    expect(page.locator("#toast")).to_have_text("1 photo added to Bars.")
    page.locator("#clear").click()
    expect(page.locator(".cell").first).to_be_visible()
    # Open it: the photos in the order in which they were added.
    page.locator("#collections-open").click()
    expect(page.locator("#collections-list li")).to_contain_text("3 photos")
    check(page)
    page.locator("#collections-list").get_by_text("Bars").click()
    expect(page.locator("#count")).to_have_text("Bars: 3 photos")
    expect(page.locator(".tile .name")).to_have_text([order[0], order[2], order[1]])
    expect(page.locator("#timeline")).to_be_hidden()
    check(page)
    tiles.first.click()
    expect(page.locator("#viewer-place")).to_have_text("1 of 3")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    # Back closes it, and Forward opens it again.
    page.go_back()
    expect(page.locator(".cell").first).to_be_visible()
    expect(page.locator("#count")).to_have_text("")
    page.go_forward()
    expect(page.locator("#count")).to_have_text("Bars: 3 photos")
    page.locator("#collection-close").click()
    expect(page.locator(".cell").first).to_be_visible()
    assert "#" not in page.url
    # What is looked for meanwhile takes its place, and Back leads to what was there before.
    page.get_by_label("Words", exact=True).fill("green")
    expect_first(page, "green.png")
    page.locator("#collections-open").click()
    page.locator("#collections-list").get_by_text("Bars").click()
    expect(page.locator("#count")).to_have_text("Bars: 3 photos")
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    expect(page).to_have_url(re.compile("#text=red$"))
    page.go_back()
    expect_first(page, "green.png")
    expect(page.get_by_label("Words", exact=True)).to_have_value("green")
    page.go_forward()
    expect_first(page, "red.png")
    page.get_by_label("Words", exact=True).fill("")
    expect(page.locator(".cell").first).to_be_visible()
    page.locator("#collections-open").click()
    page.locator("#collections-list").get_by_text("Bars").click()
    expect(page.locator("#count")).to_have_text("Bars: 3 photos")
    # Export it: as a zip file, as a list, and into a folder.
    page.locator("#collection-export").click()
    dialog = page.get_by_role("dialog", name="Export Bars")
    expect(dialog).to_contain_text("3 photos")
    check(page)
    for link, suffix in (("zip", ".zip"), ("null", ".txt"), ("json", ".json")):
        with page.expect_download() as download:
            page.locator(f"#export-{link}").click()
        assert download.value.suggested_filename == f"Bars{suffix}"
    assert len(json.loads(download.value.path().read_text())) == 3
    page.get_by_role("button", name="Copy into a folder").click()
    chooser = page.get_by_role("dialog", name="Copy the photos into a folder")
    expect(chooser).to_contain_text("a new folder in it, named after the collection")
    check(page)
    chooser.get_by_role("button", name="Pictures").click()
    chooser.get_by_role("button", name="Copy here").click()
    expect(chooser.get_by_role("alert")).to_contain_text("where the photos would be found again")
    chooser.get_by_role("button", name="Up").click()
    chooser.get_by_role("button", name="Out").click()
    chooser.get_by_role("button", name="Copy here").click()
    expect(chooser).to_be_hidden()
    expect(page.locator("#export-state")).to_have_text(f"3 photos are in {own.home.name}/Out/Bars.")
    assert {path.name for path in (own.home / "Out" / "Bars").iterdir()} == {*order[:3]}
    page.keyboard.press("Escape")
    tiles.nth(1).click(modifiers=["Control"])
    page.locator("#selection-remove").click()
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    page.locator("#collection-close").click()
    expect(page.locator(".cell").first).to_be_visible()
    expect(page.locator(".tile")).to_have_count(0)
    # Delete it, after a question.
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#collections-open").click()
    page.get_by_role("button", name="Delete Bars").click()
    expect(page.locator("#collections-none")).to_contain_text("None yet")


def test_a_search_is_saved_for_every_browser(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    draw(page, *SIDES["left"])
    page.get_by_label("Words", exact=True).fill("red")
    expect(page).to_have_url(re.compile("text=red"))
    page.locator("#searches-open").click()
    page.locator("#saved-name").fill("Left and red")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("Saved as Left and red.")
    other = open_page(own)
    other.locator("#searches-open").click()
    check(other)
    other.locator("#saved-list").get_by_text("Left and red").click()
    expect_strokes(other, 1)
    expect(other.get_by_label("Words", exact=True)).to_have_value("red")
    other.locator("#searches-open").click()
    other.on("dialog", lambda dialog: dialog.accept())
    other.get_by_role("button", name="Delete Left and red").click()
    expect(other.locator("#saved-list li")).to_have_count(0)
