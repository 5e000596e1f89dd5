"""What a user does and sees on the page."""

import io
import re
from itertools import pairwise

from PIL import Image
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


def draw_with_a_finger(page: Page, *points: tuple[float, float]) -> None:
    """One stroke by touch, as the system reports it; points as fractions of the sheet."""
    page.locator("#sheet").evaluate("sheet => sheet.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    screen = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        touched = [{"x": x, "y": y} for x, y in places]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    touch("touchStart", places[0])
    for (x, y), (to_x, to_y) in pairwise(places):
        for step in range(1, 7):
            touch("touchMove", (x + (to_x - x) * step / 6, y + (to_y - y) * step / 6))
    touch("touchEnd")


def give(page: Page, how: str, name: str, picture: Image.Image) -> None:
    """Drop or paste a picture, as the browser hands it to the page."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    page.evaluate(
        """([how, name, data]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(data)], name, { type: "image/png" }));
          const given = how === "drop" ? { dataTransfer: transfer } : { clipboardData: transfer };
          const Event = how === "drop" ? DragEvent : ClipboardEvent;
          document.body.dispatchEvent(new Event(how, { ...given, bubbles: true, cancelable: true }));
        }""",
        [how, name, list(stream.getvalue())],
    )


def expect_first(page: Page, name: str) -> None:
    """The most similar photo, and it stays so: no other answer is to come."""
    for _ in ("now", "at the end"):
        expect(page.locator(".tile .open").first).to_have_attribute("aria-label", re.compile(rf"^{re.escape(name)}"))
        settle(page)


def expect_strokes(page: Page, count: int) -> None:
    label = "Empty sheet" if count == 0 else f"Drawing of {count} stroke{'s' * (count > 1)}"
    expect(page.locator("#sheet")).to_have_attribute("aria-label", label)


def names(page: Page) -> list[str]:
    """Names of all photos shown, best first, when no other answer is to come."""
    settle(page)
    expect(page.locator("#grid:not(.partial)")).to_have_count(1)  # those out of sight follow
    found: list[str] = page.locator(".tile .name").all_text_contents()
    return found


def settle(page: Page) -> None:
    """Wait until the answer to the last change is shown."""
    expect(page.locator("#grid:not([aria-busy=true])")).to_have_count(1)
