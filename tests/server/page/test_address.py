"""Finding one's way: the address, Back, the last searches, and acting on several photos."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes, names
from tests.server.page.conftest import OpenPage, Served
from tests.server.page.test_access import check


def test_back_closes_the_large_view(page: Page, served: Served) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    expect(page).to_have_url(re.compile("#drawing="))
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.url.startswith(served.url)
    expect_strokes(page, 1)
    expect(page.locator(".tile .open").first).to_be_focused()
    # Closed in another way, the view leaves nothing in the history.
    page.locator(".tile .open").first.click()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    page.locator(".tile .open").first.click()
    page.locator("#viewer-more").click()
    page.go_back()
    expect(page.locator(".chip")).to_have_count(1)  # a mark made in the view stays
    expect(page).to_have_url(re.compile("like="))
    page.go_back()
    assert not page.url.startswith(served.url)


def test_an_address_entered_in_the_large_view_is_followed(page: Page) -> None:
    page.get_by_label("Words", exact=True).fill("green")
    expect_first(page, "green.png")
    expect(page).to_have_url(re.compile("#text=green$"))
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    page.evaluate("location.hash = 'text=red'")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.get_by_label("Words", exact=True)).to_have_value("red")
    expect_first(page, "red.png")
    expect(page).to_have_url(re.compile("#text=red$"))


def test_the_address_carries_the_query(page: Page, open_page: OpenPage, served: Served) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.locator(".tile").first.hover()
    page.locator(".tile").first.get_by_role("button", name="More like this").click()
    page.get_by_label("Words", exact=True).fill("red")
    page.get_by_label("Words to exclude").fill("blue")
    page.get_by_role("button", name="Filters").click()
    page.locator("#under").select_option("Pictures/many")
    page.get_by_role("radiogroup", name="Look for").get_by_text("this kind").click()
    file: FilePayload = {"name": "a.json", "mimeType": "", "buffer": b"[[[0, 9], [0, 9]]]"}
    page.locator("#files").set_input_files(file)
    expect(page.locator(".chip")).to_have_count(2)
    expect(page).to_have_url(re.compile("sketch="))
    address, found = page.url, names(page)
    assert "text=red" in address and "under=Pictures%2Fmany" in address

    # A reload and another tab of the same browser find all of it.
    page.reload()
    other = page.context.new_page()
    other.goto(address)
    for tab in (page, other):
        expect_strokes(tab, 1)
        expect(tab.get_by_label("Words", exact=True)).to_have_value("red")
        expect(tab.get_by_label("Words to exclude")).to_have_value("blue")
        expect(tab.locator("#under")).to_have_value("Pictures/many")
        expect(tab.locator(".chip")).to_have_count(2)
        expect(tab.get_by_role("radio", name="this kind")).to_be_checked()
        expect(tab.locator(".tile .name").first).to_have_text(found[0])
    other.close()

    # Another browser finds the words, and says that the drawing is missing.
    stranger = open_page(served)
    stranger.goto("about:blank")
    stranger.goto(address)
    expect(stranger.get_by_label("Words", exact=True)).to_have_value("red")
    expect(stranger.locator("#toast")).to_contain_text("another browser")
    expect_strokes(stranger, 0)


def test_a_reload_takes_no_query_of_a_page_before(page: Page) -> None:
    home = page.url
    words = page.get_by_label("Words", exact=True)
    words.fill("blue")
    expect_first(page, "blue.png")
    for linked in ("red", "green"):
        page.goto("about:blank")
        page.goto(f"{home}#text={linked}")
        expect_first(page, f"{linked}.png")
        page.reload()
        expect_first(page, f"{linked}.png")
        expect(words).to_have_value(linked)


def test_an_address_that_makes_no_sense_is_no_query(page: Page) -> None:
    address = page.url + "#like=x&like=../..&look=all&balance=-5&threshold=x&drawing=__proto__&text=&fold=%00&sketch=x"
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_text("one drawing away")).to_be_visible()
    expect(page.locator(".chip")).to_have_count(0)


def test_the_last_searches_are_repeated(page: Page) -> None:
    page.locator("#searches-open").click()
    expect(page.locator("#searches-none")).to_be_visible()
    page.keyboard.press("Escape")
    draw(page, *SIDES["left"])
    expect(page).to_have_url(re.compile("drawing="))
    page.locator("#clear").click()
    page.get_by_label("Words", exact=True).fill("green")
    expect(page).to_have_url(re.compile("text=green$"))
    page.locator("#searches-open").click()
    rows = page.locator("#searches-list li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("“green”")
    check(page)
    rows.nth(1).get_by_role("button").click()
    expect_strokes(page, 1)
    expect(page.get_by_label("Words", exact=True)).to_have_value("")
    expect_first(page, "left.png")
    # The marks of photos and what to look for are part of a search, too.
    page.get_by_role("radiogroup", name="Look for").get_by_text("this kind").click()
    unwanted = names(page)[1:3]
    for name in unwanted:
        tile = page.locator(".tile").filter(has=page.get_by_text(name, exact=True))
        tile.hover()
        tile.get_by_role("button", name="Not like this").click()
        expect(tile).to_have_count(0)
    expect(page).to_have_url(re.compile("unlike=.*unlike=.*&look=kind$"))
    found = names(page)
    page.locator("#clear").click()
    page.locator("#chips").get_by_role("button", name=f"Remove {unwanted[0]}").click()
    page.locator("#chips").get_by_role("button", name=f"Remove {unwanted[1]}").click()
    page.get_by_role("radiogroup", name="Look for").get_by_text("both").click()
    expect(page).not_to_have_url(re.compile("#"))
    page.locator("#searches-open").click()
    expect(rows.first).to_contain_text(f"drawing · not like {unwanted[0]} and 1 more · this kind")
    rows.first.get_by_role("button").click()
    expect(page.get_by_role("radio", name="this kind")).to_be_checked()
    expect(page.locator("#chips li")).to_have_count(2)
    expect_first(page, found[0])
    assert names(page) == found
    assert not {*unwanted} & {*found}
    page.locator("#searches-open").click()
    page.get_by_role("button", name="Forget all").click()
    expect(rows).to_have_count(0)


def test_several_photos_are_selected_and_used(page: Page, served: Served) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    order = names(page)
    tiles = page.locator(".tile .open")
    tiles.nth(1).click(modifiers=["Control"])
    tiles.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#selection-count")).to_have_text("3 photos selected")
    page.keyboard.press("r")
    page.keyboard.press("Home")
    page.keyboard.press("s")
    expect(page.locator("#selection-count")).to_have_text("4 photos selected")
    check(page)
    page.locator("#selection-paths").click()
    expect(page.locator("#toast")).to_have_text("4 paths copied.")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert sorted(path.rpartition("/")[2] for path in copied) == sorted(order[:4])
    page.keyboard.press("r")
    page.keyboard.press("s")
    expect(page.locator("#selection-count")).to_have_text("3 photos selected")
    with page.expect_download() as download:
        page.locator("#selection-download").click()
    assert download.value.suggested_filename in order[1:4]
    page.locator("#selection-more").click()
    expect(page.locator(".chip")).to_have_count(3)
    expect(page.locator("#selection")).to_be_hidden()
    tiles.first.click(modifiers=["Control"])
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()


def test_zoom_facts_and_the_file_itself(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer-facts")).to_contain_text("kB")
    frame = page.locator(".frame")
    before = frame.bounding_box()
    assert before
    page.keyboard.press("+")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "least => document.querySelector('.frame').getBoundingClientRect().width > least", arg=1.5 * before["width"]
    )
    after = frame.bounding_box()
    assert after
    page.mouse.down()
    page.mouse.move(260, 300)
    page.mouse.up()
    moved = frame.bounding_box()
    assert moved and moved["x"] < after["x"]
    page.keyboard.press("0")
    expect(page.locator(".stage")).to_have_attribute("data-zoomed", "false")
    with page.expect_download() as download:
        page.locator("#viewer-download").click()
    assert download.value.suggested_filename == "left.png"
    expect(page.locator("#viewer-open")).to_have_attribute("href", re.compile("^api/photos/[0-9a-f]{16}$"))
    expect(page.locator("#viewer-reveal")).to_be_hidden()  # there is no desktop here
    page.locator("#viewer-select").click()
    expect(page.locator("#viewer-select")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#selection-count")).to_have_text("1 photo selected")
