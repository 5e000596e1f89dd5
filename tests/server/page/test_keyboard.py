"""All of the page with nothing but the keyboard; the focus is always in sight and never lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.gallery.photos import fill
from tests.server.page.actions import expect_first, expect_strokes, names
from tests.server.page.conftest import OpenPage, Served
from tests.server.page.sample_gallery import make_gallery

# What is wrong with the focus; empty if nothing is.
PROBLEM = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "the focus is lost";
  const label = one.closest("label");
  const shown = [one, label].some((it) => it && it.checkVisibility({ opacityProperty: true })
    && getComputedStyle(it).outlineStyle !== "none" && parseFloat(getComputedStyle(it).outlineWidth) >= 1);
  const box = one.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const name = (it) => `${it.tagName} ${it.id || it.className || it.name || it.textContent}`;
  if (!top) return `${name(one)} is out of sight`;
  if (!one.contains(top) && !label?.contains(top)) return `${name(one)} is covered by ${name(top)}`;
  return shown ? "" : `${name(one)} does not show that it has the focus`;
}"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A gallery that the test may change."""
    photos = make_gallery(tmp_path / "me" / "Pictures")
    fill(tmp_path / "me" / "Work", 3, first=500)
    arguments = [str(photos), "--gallery", str(tmp_path / "gallery"), "--browse", str(tmp_path / "me")]
    server = Served(arguments, tmp_path).start()
    yield server.ready()
    server.stop()


def focus_is_seen(page: Page) -> None:
    assert page.evaluate(PROBLEM) == ""


def tab_to(page: Page, target: str, key: str = "Tab", most: int = 60) -> None:
    """Press a key until what the selector finds has the focus; it is seen at every stop."""
    expect(page.locator(target).first).to_be_attached()
    for _ in range(most):
        page.keyboard.press(key)
        focus_is_seen(page)
        if page.evaluate("target => document.activeElement.matches(target)", target):
            return
    raise AssertionError(f"{most} times {key} do not get to {target}")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    """The id or the label of what has the focus."""
    found: str = page.evaluate("document.activeElement.id || document.activeElement.ariaLabel || ''")
    return found


def test_all_of_the_page_with_the_keyboard_alone(own: Served, open_page: OpenPage) -> None:
    page = open_page(own, reduced_motion="reduce")
    draw_in_colour(page)
    take_a_guess(page)
    use_words_and_filters(page)
    go_through_photos(page)
    keep_a_collection(page)
    keep_searches(page)
    change_folders(page)
    fill_the_screen_and_ask_for_help(page)


def draw_in_colour(page: Page) -> None:
    tab_to(page, ".skip")
    tab_to(page, "[name=colour]")
    press(page, "ArrowRight")
    tab_to(page, "#sheet")
    press(page, "Space", *["ArrowRight"] * 9, "Space")
    expect_strokes(page, 1)
    tab_to(page, "#colours-only", "Shift+Tab")
    press(page, "Space")
    expect_first(page, "red.png")
    expect(page).to_have_url(re.compile("colours=only"))
    tab_to(page, "#sheet")
    press(page, "Control+z")
    expect_strokes(page, 0)
    tab_to(page, "[name=colour]", "Shift+Tab")
    press(page, "ArrowLeft")


def take_a_guess(page: Page) -> None:
    tab_to(page, "#sheet")
    press(page, *["Shift+ArrowUp"] * 3, *["Shift+ArrowLeft"] * 9, "Shift+ArrowRight")
    press(page, "Space", *["Shift+ArrowRight"] * 8, "Space")
    tab_to(page, ".guess")
    press(page, "Enter")
    expect(page.locator("#text")).to_have_value("roof")
    assert focused(page) == "sheet"  # the button has gone
    press(page, "Control+z")
    tab_to(page, "#text")
    press(page, "Control+a", "Delete")
    tab_to(page, "#sheet", "Shift+Tab")


def use_words_and_filters(page: Page) -> None:
    tab_to(page, "#text")
    page.keyboard.type("green")
    expect_first(page, "green.png")
    tab_to(page, "[name=look]")
    press(page, "ArrowRight")
    expect(page).to_have_url(re.compile("look=kind"))
    press(page, "ArrowLeft")
    tab_to(page, "#filters-open")
    press(page, "Enter")
    expect(page.locator("#filters")).to_be_visible()
    tab_to(page, "#under")
    page.keyboard.type("hol")
    expect(page.locator("#under")).to_have_value("Pictures/holiday")
    expect(page.locator(".tile")).to_have_count(3)
    tab_to(page, "#from")
    page.keyboard.type("01012023")
    expect(page.locator(".tile")).to_have_count(2)
    tab_to(page, "#name")
    page.keyboard.type("2024")
    expect(page.locator(".tile .name")).to_have_text(["2024.jpg"])
    press(page, "Control+a", "Delete")
    tab_to(page, "#kind")
    page.keyboard.type("PNG")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    tab_to(page, "#notice button")
    press(page, "Enter")  # Reset the filters: the button goes, and the focus stays among the photos
    expect_first(page, "green.png")
    assert focused(page) == "results"
    tab_to(page, "#filters [type=reset]", "Shift+Tab")
    tab_to(page, "#camera", "Shift+Tab")
    press(page, "ArrowDown", "ArrowDown")
    expect(page.locator(".tile .name")).to_have_text(["2023.jpg"])
    tab_to(page, "#filters [type=reset]")
    press(page, "Enter")
    expect_first(page, "green.png")


def go_through_photos(page: Page) -> None:
    tab_to(page, ".tile .open")
    order = names(page)
    press(page, "ArrowRight", "ArrowRight", "Enter")
    expect(page.locator("#viewer-name")).to_have_text(order[2])
    tab_to(page, "#copy-name")
    tab_to(page, "#viewer-close", "Shift+Tab")
    press(page, "ArrowLeft", "+", "0")
    expect(page.locator("#viewer-name")).to_have_text(order[1])
    press(page, "Enter")
    expect(page.locator("#viewer")).to_be_hidden()
    focus_is_seen(page)
    assert focused(page).startswith(order[1])


def keep_a_collection(page: Page) -> None:
    order = names(page)
    press(page, "Home", "s", "ArrowRight", "ArrowRight", "s")
    expect(page.locator("#selection-count")).to_have_text("2 photos selected")
    tab_to(page, "#selection-collect")
    press(page, "Enter")
    expect(page.locator("#collections")).to_be_visible()
    tab_to(page, "#collections-name")
    page.keyboard.type("Mine")
    press(page, "Enter")
    expect(page.locator("#selection")).to_be_hidden()
    focus_is_seen(page)
    tab_to(page, "#collections-open", "Shift+Tab")
    press(page, "Enter")
    expect(page.locator("#collections")).to_be_visible()
    tab_to(page, "#collections-list .place")
    press(page, "Enter")
    expect(page.locator("#count")).to_have_text("Mine: 2 photos")
    expect(page.locator(".tile .name")).to_have_text([order[0], order[2]])
    focus_is_seen(page)
    tab_to(page, ".tile .open")
    press(page, "s")
    tab_to(page, "#selection-remove")
    press(page, "Enter")
    expect(page.locator("#count")).to_have_text("Mine: 1 photo")
    focus_is_seen(page)
    tab_to(page, "#collection-close", "Shift+Tab")
    press(page, "Enter")
    expect(page.locator("#count")).not_to_contain_text("Mine")
    assert focused(page) == "results"
    page.once("dialog", lambda dialog: dialog.accept())
    tab_to(page, "#collections-open", "Shift+Tab")
    press(page, "Enter")
    expect(page.locator("#collections")).to_be_visible()
    tab_to(page, "[aria-label='Delete Mine']")
    press(page, "Enter")
    expect(page.locator("#collections-list li")).to_have_count(0)
    focus_is_seen(page)
    press(page, "Escape")
    assert focused(page) == "collections-open"


def keep_searches(page: Page) -> None:
    tab_to(page, "#searches-open")
    press(page, "Enter")
    tab_to(page, "#saved-name")
    page.keyboard.type("Green")
    press(page, "Enter")
    expect(page.locator("#toast")).to_have_text("Saved as Green.")
    assert focused(page) == "searches-open"
    tab_to(page, "#text")
    press(page, "Control+a", "Delete")
    expect(page.locator(".cell").first).to_be_visible()
    tab_to(page, "#searches-open", "Shift+Tab")
    press(page, "Enter")
    tab_to(page, "#saved-list .place")
    press(page, "Enter")
    expect(page.get_by_label("Words", exact=True)).to_have_value("green")
    assert focused(page) == "searches-open"
    press(page, "Enter")
    tab_to(page, "#saved-list .icon-button")
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "Enter")
    expect(page.locator("#saved-list li")).to_have_count(0)
    focus_is_seen(page)
    tab_to(page, "#searches-clear")
    press(page, "Enter")
    expect(page.locator("#searches-none")).to_be_visible()
    focus_is_seen(page)
    press(page, "Escape")
    assert focused(page) == "searches-open"


def change_folders(page: Page) -> None:
    tab_to(page, "#gallery-open", "Shift+Tab")
    press(page, "Enter")
    tab_to(page, "#add-folder")
    press(page, "Enter")
    expect(page.locator(".place").first).to_be_focused()
    press(page, "Tab", "Enter")
    expect(page.locator("#places-name")).to_have_text("me/Work")
    tab_to(page, "#places-choose")
    press(page, "Enter")
    expect(page.locator("#places")).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("123 photos")
    focus_is_seen(page)
    tab_to(page, "#rescan:enabled")
    press(page, "Enter")
    expect(page.locator("#pause")).to_be_focused()  # in the place of what was pressed
    expect(page.locator("#rescan")).to_be_visible()
    focus_is_seen(page)
    tab_to(page, "[aria-label='Forget Work']", "Shift+Tab")
    press(page, "Enter")
    focus_is_seen(page)
    tab_to(page, ".button.warn", "Shift+Tab")
    press(page, "Enter")
    expect(page.locator("#summary")).to_contain_text("120 photos")
    focus_is_seen(page)
    press(page, "Escape")
    assert focused(page) == "gallery-open"


def fill_the_screen_and_ask_for_help(page: Page) -> None:
    tab_to(page, "#help-open")
    press(page, "Enter")
    tab_to(page, "#single-keys")
    press(page, "Escape")
    assert focused(page) == "help-open"
    tab_to(page, "#full")
    press(page, "Enter")
    expect(page.locator("#full")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#sheet")
    press(page, "Escape")
    expect(page.locator("#full")).to_have_attribute("aria-pressed", "false")
    assert focused(page) == "sheet"
