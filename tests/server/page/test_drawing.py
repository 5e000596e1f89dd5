"""The sheet: pen, eraser, history, what a reload keeps."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes, names
from tests.server.page.conftest import PHONE, OpenPage, Served
from tests.server.page.test_access import check

REST = 2000  # ms; the pen tidies a line after 700, on a busy machine later


def ink(page: Page) -> int:
    """How many pixels of the sheet are drawn on, once the mouse has left it and all is painted."""
    page.mouse.move(0, 0)
    return int(
        page.evaluate(
            """async () => {
              await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
              const sheet = document.getElementById("sheet");
              const canvas = new OffscreenCanvas(sheet.width, sheet.height);
              const copy = canvas.getContext("2d", { willReadFrequently: true });
              copy.drawImage(sheet, 0, 0);
              const { data } = copy.getImageData(0, 0, sheet.width, sheet.height);
              return data.filter((value, i) => i % 4 === 3 && value > 100).length;
            }"""
        )
    )


def test_photos_follow_the_pen(page: Page) -> None:
    expect(page.get_by_text("photos, one drawing away")).to_be_visible()
    for side in ("left", "bottom", "right"):
        draw(page, *SIDES[side])
        expect_first(page, f"{side}.png")
        page.locator("#clear").click()
        expect(page.locator(".tile")).to_have_count(0)


def test_a_name_over_the_sheet_joins_the_words(page: Page) -> None:
    guesses = page.get_by_role("group", name="What it may be")
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    expect(guesses).to_be_hidden()
    page.locator("#clear").click()
    page.get_by_label("Words", exact=True).fill("red")
    draw(page, *SIDES["top"])
    expect(guesses.get_by_role("button")).to_have_text(["roof?", "shelf?"])
    check(page)
    page.get_by_label("Words to exclude").fill("roof")
    expect(guesses.get_by_role("button")).to_have_text(["shelf?"])
    page.get_by_label("Words to exclude").fill("")
    page.get_by_label("Words", exact=True).fill("red she")  # half a name does not stay beside it
    with page.expect_request(lambda request: "red shelf" in (request.post_data or "")):
        guesses.get_by_role("button", name="shelf").click()
    expect(page.get_by_label("Words", exact=True)).to_have_value("red shelf")
    expect(guesses).to_be_hidden()
    expect(page.locator("#sheet")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Words", exact=True)).to_have_value("red shelf")
    page.get_by_label("Words", exact=True).fill("red")
    expect(guesses).to_be_visible()


def test_photos_come_while_the_pen_is_down(page: Page) -> None:
    draw(page, *SIDES["right"], lift=False)
    expect_first(page, "right.png")
    page.mouse.up()
    expect_strokes(page, 1)


def test_undo_redo_clear_and_flip(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.locator("#flip").click()
    expect_first(page, "right.png")
    draw(page, *SIDES["top"])
    expect_strokes(page, 2)
    page.keyboard.press("Control+z")
    expect_strokes(page, 1)
    expect_first(page, "right.png")
    page.keyboard.press("Control+z")
    expect_first(page, "left.png")
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    expect_strokes(page, 2)
    page.keyboard.press("Delete")
    expect_strokes(page, 0)
    page.locator("#undo").click()
    expect_strokes(page, 2)
    page.locator("#redo").click()
    expect_strokes(page, 0)


def test_the_eraser_cuts_strokes_in_one_step(page: Page) -> None:
    draw(page, (0.1, 0.5), (0.9, 0.5))
    whole = ink(page)
    page.keyboard.press("e")
    draw(page, (0.5, 0.2), (0.5, 0.8))
    expect_strokes(page, 2)
    assert 0.5 * whole < ink(page) < whole
    draw(page, (0.05, 0.5), (0.95, 0.5))
    expect_strokes(page, 0)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect_strokes(page, 1)
    assert ink(page) == whole


def test_coloured_strokes_count_and_keep_their_colour(page: Page) -> None:
    def choose(colour: str) -> None:
        page.get_by_role("radio", name=colour, exact=True).check(force=True)

    def colours() -> list[str | None]:
        saved = page.evaluate("JSON.parse(localStorage.getItem('sketchseek.v1')).strokes")
        return [stroke.get("colour") for stroke in saved]

    only = page.get_by_label("Colours only")
    draw(page, *SIDES["left"])
    expect(only).to_be_hidden()
    choose("Red")
    draw(page, (0.3, 0.3), (0.9, 0.3))
    page.locator("#sheet").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect_strokes(page, 3)
    assert colours() == [None, "#d62828", "#d62828"]
    only.check()
    expect_first(page, "red.png")
    expect(page.locator(".tile .open").first).to_have_attribute("aria-label", "red.png")  # no share of a match
    page.locator("#clear").click()
    expect(only).to_be_hidden()
    choose("Blue")
    draw(page, (0.1, 0.5), (0.9, 0.5))
    expect_first(page, "blue.png")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect_first(page, "red.png")
    assert colours() == [None, "#d62828", "#d62828"]
    page.locator("#flip").click()
    page.wait_for_url("**colours=only**")
    page.locator("#searches-open").click()
    expect(page.locator(".search-row").first).to_contain_text("drawing · colours only")
    page.keyboard.press("Escape")
    page.reload()
    expect_first(page, "red.png")
    expect(only).to_be_checked()
    expect(page.get_by_role("radio", name="Blue")).to_be_checked()
    assert colours() == [None, "#d62828", "#d62828"]
    check(page)


def test_widths_show_and_are_kept(page: Page) -> None:
    amounts = []
    for width in ("Fine", "Medium", "Broad"):
        page.get_by_role("radio", name=width).check()
        draw(page, (0.1, 0.5), (0.9, 0.5))
        amounts.append(ink(page))
        page.locator("#clear").click()
    assert amounts[0] < amounts[1] < amounts[2]
    page.reload()
    expect(page.get_by_role("radio", name="Broad")).to_be_checked()
    page.keyboard.press("[")
    expect(page.get_by_role("radio", name="Medium")).to_be_checked()


def test_a_reload_keeps_drawing_and_words(page: Page) -> None:
    draw(page, *SIDES["bottom"])
    page.get_by_label("Words", exact=True).fill("blue")
    expect(page.locator("#balance-row")).to_be_visible()
    expect_strokes(page, 1)
    before = ink(page)
    page.reload()
    expect_strokes(page, 1)
    expect(page.get_by_label("Words", exact=True)).to_have_value("blue")
    expect(page.locator(".tile").first).to_be_visible()
    assert ink(page) == before


def test_damaged_storage_is_no_drawing(page: Page) -> None:
    for kept in ("{", "[1]", json.dumps({"strokes": [{"xs": [1], "ys": "no", "width": 3, "pressures": [1]}, None, 7]})):
        page.evaluate("kept => localStorage.setItem('sketchseek.v1', kept)", kept)
        page.reload()
        expect_strokes(page, 0)
        expect(page.get_by_text("one drawing away")).to_be_visible()


def test_two_fingers_are_no_stroke(open_page: OpenPage, served: Served) -> None:
    page = open_page(served, **PHONE)
    page.evaluate(
        """() => {
          const sheet = document.getElementById("sheet");
          const touch = (type, pointerId, clientX, clientY) => sheet.dispatchEvent(new PointerEvent(type,
            { pointerId, pointerType: "touch", clientX, clientY, button: type === "pointermove" ? -1 : 0 }));
          sheet.setPointerCapture = () => {};
          touch("pointerdown", 5, 100, 150);
          touch("pointermove", 5, 140, 190);
          touch("pointerdown", 6, 200, 200);
          touch("pointermove", 5, 180, 230);
          touch("pointerup", 5, 180, 230);
          touch("pointerup", 6, 200, 200);
        }"""
    )
    expect_strokes(page, 0)


@pytest.mark.parametrize("pressure", [0.1, 0.9])
def test_a_stylus_presses_and_its_end_erases(page: Page, pressure: float) -> None:
    page.evaluate(
        """pressure => {
          const sheet = document.getElementById("sheet");
          sheet.setPointerCapture = () => {};
          const box = sheet.getBoundingClientRect();
          const pen = (type, x, y, buttons = 1) => sheet.dispatchEvent(new PointerEvent(type, { pointerId: 9,
            pointerType: "pen", pressure, buttons, button: type === "pointermove" ? -1 : buttons === 32 ? 5 : 0,
            clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true }));
          pen("pointerdown", .1, .5);
          for (let x = .1; x < .9; x += .05) pen("pointermove", x, .5);
          pen("pointerup", .9, .5, 0);
          pen("pointerdown", .5, .3, 32);
          pen("pointermove", .5, .7, 32);
          pen("pointerup", .5, .7, 0);
        }""",
        pressure,
    )
    expect_strokes(page, 2)
    strokes = page.evaluate("JSON.parse(localStorage.getItem('sketchseek.v1')).strokes")
    assert all(
        factor == pytest.approx(0.35 + 1.3 * pressure, abs=0.01) for one in strokes for factor in one["pressures"]
    )
    assert max(strokes[0]["xs"]) < 500 < min(strokes[1]["xs"])


def test_a_finger_draws_on_a_phone(open_page: OpenPage, served: Served) -> None:
    page = open_page(served, **PHONE)
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "left.png" in names(page)[0]


def points(page: Page) -> list[tuple[list[float], list[float]]]:
    """The kept strokes, as (xs, ys)."""
    kept = page.evaluate("JSON.parse(localStorage.getItem('sketchseek.v1')).strokes")
    return [(one["xs"], one["ys"]) for one in kept]


def test_lines_are_selected_moved_and_resized(page: Page) -> None:
    draw(page, (0.2, 0.3), (0.4, 0.3))
    draw(page, (0.7, 0.7), (0.9, 0.7))
    page.keyboard.press("v")
    draw(page, (0.1, 0.2), (0.5, 0.4))  # a rectangle around the first
    before = points(page)
    draw(page, (0.3, 0.3), (0.3, 0.5))
    after = points(page)
    assert after[1] == before[1]
    assert [y - 160 for y in after[0][1]] == pytest.approx(before[0][1], abs=1)
    corner = (after[0][0][-1] / 1000 + 0.014, after[0][1][-1] / 800 + 0.0175)
    draw(page, corner, (corner[0] + 0.2, corner[1]))
    wide = points(page)
    assert wide[1] == before[1] and max(wide[0][0]) > max(after[0][0]) + 100
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert points(page) == before
    # By keyboard: everything, if nothing is selected.
    draw(page, (0.5, 0.95), (0.5, 0.95))
    page.locator("#sheet").focus()
    page.keyboard.press("ArrowRight")
    assert [x - 20 for x in points(page)[1][0]] == pytest.approx(before[1][0], abs=0.2)
    page.keyboard.press("+")
    page.keyboard.press("Delete")
    expect_strokes(page, 0)


def test_shift_draws_a_straight_line(page: Page) -> None:
    page.keyboard.down("Shift")
    draw(page, (0.2, 0.2), (0.5, 0.8), (0.8, 0.2))
    page.keyboard.up("Shift")
    ((xs, ys),) = points(page)
    assert max(ys) - min(ys) < 2 and xs[-1] - xs[0] > 550 and len(xs) > 20


def test_a_resting_pen_tidies_a_line_and_an_ellipse(page: Page) -> None:
    draw(page, (0.1, 0.5), (0.5, 0.54), (0.9, 0.5), lift=False)
    page.wait_for_timeout(REST)
    page.mouse.up()
    ((xs, ys),) = points(page)
    assert max(ys) - min(ys) < 3
    page.locator("#clear").click()
    rough = [
        (0.5, 0.2),
        (0.72, 0.32),
        (0.8, 0.5),
        (0.7, 0.7),
        (0.5, 0.8),
        (0.3, 0.7),
        (0.2, 0.5),
        (0.29, 0.3),
        (0.5, 0.21),
    ]
    draw(page, *rough, lift=False)
    page.wait_for_timeout(REST)
    page.mouse.up()
    ((xs, ys),) = points(page)
    middle = (sum(xs[:-1]) / (len(xs) - 1), sum(ys[:-1]) / (len(ys) - 1))
    rx, ry = (max(xs) - min(xs)) / 2, (max(ys) - min(ys)) / 2
    assert all(
        abs(((x - middle[0]) / rx) ** 2 + ((y - middle[1]) / ry) ** 2 - 1) < 0.03 for x, y in zip(xs, ys, strict=True)
    )
    # A corner is neither, and stays as it was drawn.
    page.locator("#clear").click()
    draw(page, (0.2, 0.2), (0.2, 0.8), (0.8, 0.8), lift=False)
    page.wait_for_timeout(REST)
    page.mouse.up()
    ((xs, ys),) = points(page)
    assert abs(xs[len(xs) // 2] - 200) < 40 and max(ys) > 600


def test_clearing_gives_the_pen_back(page: Page) -> None:
    draw(page, *SIDES["left"])
    page.keyboard.press("e")
    page.locator("#clear").click()
    expect(page.get_by_role("button", name="Pen", exact=True)).to_have_attribute("aria-pressed", "true")
    draw(page, *SIDES["left"])
    expect_strokes(page, 1)


def test_several_sheets_are_kept(page: Page) -> None:
    draw(page, *SIDES["left"])
    page.locator("#new-sheet").click()
    expect_strokes(page, 0)
    draw(page, *SIDES["top"])
    draw(page, *SIDES["bottom"])
    expect(page.locator(".sheet-choice")).to_have_count(2)
    page.get_by_role("button", name="Sheet 2").click()
    expect_strokes(page, 1)
    expect_first(page, "left.png")
    page.reload()
    expect_strokes(page, 1)
    page.get_by_role("button", name="Sheet 2").click()
    expect_strokes(page, 2)


def test_the_sheet_grows(open_page: OpenPage, served: Served) -> None:
    widths = []
    for width in (1000, 1440, 1920):
        page = open_page(served, viewport={"width": width, "height": 1000})
        box = page.locator("#sheet").bounding_box()
        assert box is not None
        widths.append(box["width"])
    assert widths[0] < widths[1] < widths[2]


def box_of(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in px."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_full_screen(open_page: OpenPage, served: Served) -> None:
    page = open_page(served)
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    small, before = box_of(page, "#sheet"), ink(page)
    page.locator("#searches-open").focus()  # this button is hidden in full screen
    page.keyboard.press("w")
    expect(page.locator("#sheet")).to_be_focused()
    page.wait_for_function("document.fullscreenElement === document.documentElement")
    left, top, right, bottom = box_of(page, "#sheet")
    assert right - left > 1.9 * (small[2] - small[0]) and top >= 0 and bottom <= 800
    assert ink(page) > 2 * before  # the drawing grows with it
    expect(page.locator(".tile").first).to_be_in_viewport()
    check(page)
    draw(page, *SIDES["top"])
    expect_strokes(page, 2)
    # Escape closes a photo first, and then leaves; what had the focus keeps it.
    page.locator(".tile .open").first.click()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#full")).to_have_attribute("aria-pressed", "true")
    page.locator("#full").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#full")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#full")).to_be_focused()
    page.wait_for_function("document.fullscreenElement === null")
    assert box_of(page, "#sheet") == small
    # It is kept across a reload, by then in the window.
    page.locator("#full").click()
    page.reload()
    expect(page.locator("#full")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("sideways", [False, True], ids=["upright", "sideways"])
def test_full_screen_on_a_phone(open_page: OpenPage, served: Served, sideways: bool) -> None:
    width, height = (844, 390) if sideways else (390, 844)
    page = open_page(served, **PHONE | {"viewport": {"width": width, "height": height}})
    page.locator("#full").tap()
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    left, top, right, bottom = box_of(page, "#sheet")
    assert right - left > (450 if sideways else 380) and left >= 0 and top >= 0 and right <= width and bottom <= height
    expect(page.locator(".tile").first).to_be_in_viewport()
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("scrollTo(0, 400), scrollY") > 50  # the photos scroll, the sheet stays
    expect(page.locator("#sheet")).to_be_in_viewport(ratio=0.99)
    page.locator("#full").tap()
    expect(page.locator(".top")).to_be_visible()
