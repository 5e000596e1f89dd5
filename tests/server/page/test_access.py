"""Accessibility: keyboard only, screen readers, contrast, small screens."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes
from tests.server.page.conftest import OpenPage, Served

RULES = {"resultTypes": ["violations"]}
CONTRAST = RULES | {"runOnly": ["color-contrast"]}


def check(page: Page, *, both_schemes: bool = False) -> None:
    """No violation of any rule of axe-core: WCAG 2 A and AA, and good practice; contrast also in the other scheme."""
    page.evaluate(
        """() => Promise.all(document.getAnimations()
          .filter((one) => one.effect.getComputedTiming().endTime < Infinity) // loading animations are endless
          .map((one) => one.finished.catch(() => {})))"""
    )
    found = Axe().run(page, options=RULES).response["violations"]
    if both_schemes:
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.emulate_media(color_scheme="light" if dark else "dark")
        found += Axe().run(page, options=CONTRAST).response["violations"]
        page.emulate_media(color_scheme="dark" if dark else "light")
    assert [(one["id"], one["impact"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_axe_finds_nothing_wrong_in_wrong_states(open_page: OpenPage, served: Served) -> None:
    page = open_page(served)
    indexing = {
        "state": "indexing",
        "done": 5,
        "total": 90,
        "failed": 0,
        "photos_per_s": 3.2,
        "seconds": 2,
        "error": None,
    }
    status = {**served.status(), "photos": 0, "indexing": indexing}
    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.reload()
    expect(page.locator("#first-words")).to_contain_text("5 of 90")
    check(page)
    status["indexing"] = {**indexing, "state": "idle"}
    expect(page.get_by_text("No photos yet")).to_be_visible()
    check(page)


def test_everything_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the photos")).to_be_focused()
    # Draw the left side with the pen of the arrow keys.
    page.keyboard.press("d")
    expect(page.locator("#sheet")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    expect_strokes(page, 1)
    expect_first(page, "left.png")
    expect(page.locator("#live")).to_contain_text("First: left.png.")
    # Words, and back.
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("red fbe")  # letters are letters here
    expect(page.locator("#text")).to_have_value("red fbe")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.locator("#text")).to_have_value("")
    expect_strokes(page, 1)
    page.locator("#sheet").focus()
    expect_first(page, "left.png")
    # Through the photos: one stop for Tab, arrows within.
    page.keyboard.press("r")
    expect(page.locator(".tile .open").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile .open").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator(".tile .open").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="left.png")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator(".tile .open").nth(1)).to_be_focused()
    # Not like this: the photo goes, the focus stays among the photos.
    name = page.locator(".tile .name").nth(1).inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text(name)
    expect(page.locator(".tile .open").nth(1)).to_be_focused()
    # Undo, help, a file.
    page.keyboard.press("Control+z")
    expect_strokes(page, 0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="How to search")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    with page.expect_file_chooser():
        page.evaluate("0")  # a round trip: otherwise the key can arrive before the listener
        page.keyboard.press("o")


def test_single_letters_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Eraser")).to_have_attribute("aria-pressed", "true")
    page.locator("#help-open").click()
    page.get_by_label("Use single letters as shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("body[data-ready]")).to_have_count(1)
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Pen", exact=True)).to_have_attribute("aria-pressed", "true")
    draw(page, *SIDES["left"])
    page.keyboard.press("Control+z")
    expect_strokes(page, 0)


def test_the_theme_can_be_chosen_and_is_kept(open_page: OpenPage, served: Served) -> None:
    page = open_page(served, color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize(
    ("width", "height"), [(320, 800), (390, 800), (640, 400), (760, 800), (1024, 800), (1920, 800)]
)
def test_nothing_is_cut_off_or_distorted(open_page: OpenPage, served: Served, width: int, height: int) -> None:
    page = open_page(served, viewport={"width": width, "height": height})
    assert page.locator("#sheet").evaluate("sheet => sheet.clientWidth / sheet.clientHeight") == pytest.approx(
        1.25, 0.01
    )
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.get_by_role("button", name="Filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """width => [...document.querySelectorAll("main button, main input, main select, header button")]
          .filter((one) => one.checkVisibility({ opacityProperty: true }) && !one.hidden)
          .map((one) => [one.id || one.className, one.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.left < -1 || box.right > width + 1)).map(([name]) => name)""",
        width,
    )
    assert outside == []
