"""What a user does and sees on the page."""

import re

from playwright.sync_api import Page, expect

SIDES = {
    "left": [(0.12, 0.1), (0.12, 0.5), (0.12, 0.9)],
    "right": [(0.88, 0.1), (0.88, 0.5), (0.88, 0.9)],
    "top": [(0.1, 0.12), (0.5, 0.12), (0.9, 0.12)],
    "bottom": [(0.1, 0.88), (0.5, 0.88), (0.9, 0.88)],
}


def draw(page: Page, *points: tuple[float, float], lift: bool = True) -> None:
    """One stroke with the mouse; points as fractions of the sheet."""
    page.locator("#sheet").scroll_into_view_if_needed()
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    if lift:
        page.mouse.up()


def expect_first(page: Page, name: str) -> None:
    """The most similar photo."""
    expect(page.locator(".tile .open").first).to_have_attribute("aria-label", re.compile(rf"^{re.escape(name)}"))


def expect_strokes(page: Page, count: int) -> None:
    label = "Empty sheet" if count == 0 else f"Drawing of {count} stroke{'s' * (count > 1)}"
    expect(page.locator("#sheet")).to_have_attribute("aria-label", label)


def names(page: Page) -> list[str]:
    """Names of the photos shown, best first."""
    found: list[str] = page.locator(".tile .name").all_text_contents()
    return found
