"""From a query to photos: words, marks, files, filters, paging, the large view."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from tests.gallery.photos import flat
from tests.server.page.actions import SIDES, draw, expect_first, give, names, settle
from tests.server.page.conftest import OpenPage, Served, Watch
from tests.server.page.test_access import check


def test_words_beside_a_drawing_and_the_balance_between(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    expect(page.locator("#balance-row")).to_be_hidden()
    page.get_by_label("Words", exact=True).fill("red")
    balance = page.get_by_label("Balance between drawing and words")
    balance.fill("100")
    expect_first(page, "red.png")
    balance.fill("0")
    expect_first(page, "left.png")
    page.locator("#clear").click()
    expect(page.locator("#balance-row")).to_be_hidden()
    expect_first(page, "red.png")


def test_what_to_look_for_is_sent_kept_and_reset_with_the_filters(page: Page) -> None:
    def sent(request: Request) -> list[str]:
        return re.findall(r'name="look"\s+(\w+)', request.post_data or "")

    choice = page.get_by_role("radiogroup", name="Look for")
    with page.expect_request("**/api/search") as request:
        draw(page, *SIDES["left"])
    assert sent(request.value) == ["both"]
    expect_first(page, "left.png")
    # By its field: the searches of the unfinished stroke may still be answered.
    with page.expect_response(lambda answer: "search" in answer.url and sent(answer.request) == ["kind"]) as answer:
        choice.get_by_text("this kind").click()
    hits = [hit["name"] for hit in answer.value.json()["hits"]]
    expect(page.locator(".tile .name")).to_have_text(hits)
    with page.expect_request("**/api/search") as request:
        page.reload()
    assert sent(request.value) == ["kind"]
    expect(choice.get_by_role("radio", name="this kind")).to_be_checked()
    # The arrow keys choose, as in any group of radio buttons.
    choice.get_by_role("radio", name="this kind").focus()
    page.keyboard.press("ArrowLeft")
    with page.expect_request(lambda request: sent(request) == ["picture"]):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Filters").click()
    with page.expect_request("**/api/search") as request:
        page.get_by_role("button", name="Reset the filters").click()
    assert sent(request.value) == ["both"]
    expect(choice.get_by_role("radio", name="both")).to_be_checked()


def test_a_photo_found_by_colours_alone(page: Page) -> None:
    """No parts of it match, and there is no share of a match."""
    page.get_by_role("radio", name="Red", exact=True).check(force=True)
    draw(page, *SIDES["left"])
    page.get_by_label("Colours only").check()
    expect(page.locator(".tile .open").first).to_have_attribute("aria-label", "red.png")  # no share of a match
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer-facts")).to_contain_text(re.compile(r"Match\s*similarity \d"))
    expect(page.locator("#viewer-explain")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    page.get_by_label("Words", exact=True).fill("red")
    expect(page.locator(".tile .degree").first).not_to_be_empty()
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer-explain")).to_be_visible()


def test_a_photo_is_blurred_until_it_has_loaded(open_page: OpenPage, served: Served) -> None:
    page = open_page(served)
    held: list[Route] = []
    page.route("**/thumbnail*", lambda route: held.append(route))
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    shown = page.locator(".tile .open").first
    source = re.search(r"data:image/bmp;base64,[^\"]+", shown.evaluate("(open) => open.style.background"))
    assert source is not None
    red, green, blue = page.evaluate(
        """async (source) => {
          const image = new Image();
          image.src = source;
          await image.decode();
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return [...context.getImageData(6, 6, 1, 1).data].slice(0, 3);
        }""",
        source[0],
    )
    assert red > 150 > 100 > green and blue < 100
    for route in held:
        route.continue_()
    expect(page.locator(".tile img").first).to_have_css("opacity", "1")


def test_minus_words(page: Page) -> None:
    page.get_by_label("Words", exact=True).fill("blue")
    expect_first(page, "blue.png")
    with page.expect_request("**/api/search") as request:
        page.get_by_label("Words to exclude").fill("red, green,")
    assert re.findall(r'name="minus"\s+(\w+)', request.value.post_data or "") == ["red", "green"]
    expect_first(page, "blue.png")


def test_not_like_this_takes_a_photo_away_until_its_chip_is_removed(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    first = page.locator(".tile").first
    first.hover()
    first.get_by_role("button", name="Not like this").click()
    expect(page.locator(".chip")).to_contain_text("Not like")
    expect(page.locator(".tile .name", has_text=re.compile("^left.png$"))).to_have_count(0)
    page.get_by_role("button", name="Remove left.png").click()
    expect_first(page, "left.png")
    expect(page.locator(".chip")).to_have_count(0)


def test_more_like_this_searches_without_a_drawing_too(page: Page) -> None:
    draw(page, *SIDES["right"])
    expect_first(page, "right.png")
    settle(page)
    first = page.locator(".tile").first
    first.hover()
    first.get_by_role("button", name="More like this").click()
    expect(page.locator(".chip")).to_contain_text("More like")
    expect(page.locator(".tile").first).to_have_attribute("data-mark", "like")
    page.locator("#clear").click()
    expect_first(page, "right.png")


def test_files_are_recognised_and_can_be_used_the_other_way(page: Page, watch: Watch, tmp_path: Path) -> None:
    watch.allow("422")
    drawing = tmp_path / "my sketch.svg"
    drawing.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 50 40"><path d="M6 4V36" stroke="#000"/></svg>'
    )
    (tmp_path / "shot.png").write_bytes(flat((220, 30, 30), "another"))
    page.locator("#files").set_input_files(drawing)
    expect(page.locator(".chip[data-kind=sketch]")).to_contain_text("my sketch.svg")
    expect_first(page, "left.png")
    page.get_by_role("button", name="Remove my sketch.svg").click()
    page.locator("#files").set_input_files(tmp_path / "shot.png")
    expect(page.locator(".chip[data-kind=photo]")).to_contain_text("shot.png")
    expect_first(page, "red.png")
    page.get_by_role("button", name="Use shot.png as a drawing").click()
    expect(page.locator(".chip[data-kind=sketch]")).to_contain_text("shot.png")
    # What the server cannot use it says in a sentence, and the chip says it, too.
    expect(page.locator("#toast")).to_contain_text("shot.png: ")
    expect(page.locator(".chip")).to_contain_text("Cannot be used")
    page.get_by_role("button", name="Use shot.png as a photo").click()
    expect_first(page, "red.png")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_the_user_chooses_what_an_unclear_picture_is(page: Page, how: str) -> None:
    image = Image.new("RGB", (40, 40), "white")
    image.paste((90, 160, 60), (0, 0, 40, 22))  # half paper, half meadow
    give(page, how, "half.png", image)
    dialog = page.get_by_role("dialog", name="What is this picture?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="A photo").click()
    expect(page.locator(".chip[data-kind=photo]")).to_contain_text("half.png")
    expect(page.locator(".tile").first).to_be_visible()


def test_filters_by_folder_and_date_and_their_reset(page: Page) -> None:
    page.get_by_label("Words", exact=True).fill("green")
    expect_first(page, "green.png")
    page.get_by_role("button", name="Filters").click()
    expect(page.locator("#under option")).to_have_text(
        [
            "All folders",
            "Pictures (121)",
            "\u2003colours (3)",
            "\u2003holiday (3)",
            "\u2003many (110)",
            "\u2003twice (1)",
        ]
    )
    page.locator("#under").select_option("Pictures/holiday")
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_label("from").fill("2023-01-01")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("to", exact=True).fill("2023-12-31")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator("#count")).to_contain_text("The nearest photo:")
    expect(page.locator("#filters-count")).to_have_text("2")
    page.get_by_label("to", exact=True).fill("2023-01-31")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("button", name="Reset the filters").first.click()
    expect_first(page, "green.png")
    page.get_by_label("Kind of file").select_option("JPEG")
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_label("Camera").select_option("Acme 2023 (1)")
    expect(page.locator(".tile .name")).to_have_text(["2023.jpg"])
    page.get_by_label("Words", exact=True).fill("")  # the timeline has the same filters
    expect(page.locator(".timeline-photos li")).to_have_count(1)
    page.get_by_role("button", name="Reset the filters").first.click()
    page.get_by_label("File name").fill("AGAIN")
    expect(page.locator(".timeline-photos li")).to_have_count(1)
    page.get_by_label("Words", exact=True).fill("green")
    expect(page.locator(".tile .name")).to_have_text(["left again.png"])
    page.reload()
    expect(page.locator(".tile .name")).to_have_text(["left again.png"])
    page.get_by_role("button", name="Filters").click()
    check(page)


def test_the_line_above_the_photos_is_of_the_photos_below_it(page: Page) -> None:
    said: list[tuple[bool, int, str]] = [
        (True, 48, "Nothing is really like it. The nearest 48 photos:"),
        (False, 48, "48 photos and more"),
        (True, 1, "Nothing is really like it. The nearest photo:"),
        (False, 1, "1 photo and more"),
    ]
    now = said[0]

    def answer(route: Route) -> None:
        found = route.fetch().json()
        weak, count, _ = now
        hits = [hit | {"weak": weak} for hit in found["hits"][:count]]
        route.fulfill(json=found | {"hits": hits})

    page.route("**/api/search", answer)
    for number, now in enumerate(said):
        with page.expect_response("**/api/search"):
            draw(page, (0.1, 0.2 + 0.2 * number), (0.9, 0.3))
        expect(page.locator("#count")).to_have_text(now[2])
    page.unroute_all(behavior="wait")


def test_a_filter_in_use_survives_a_new_list(page: Page, served: Served) -> None:
    status = served.status()
    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.get_by_role("button", name="Filters").click()
    camera = page.get_by_label("Camera")
    camera.select_option("Acme 2023 (1)")
    camera.focus()
    cameras = [{"camera": f"Acme {year}", "photos": 9} for year in range(2020, 2025)]
    page.route("**/api/cameras", lambda route: route.fulfill(json={"cameras": cameras}))
    with page.expect_response("**/api/cameras"):
        status |= {"photos": status["photos"] + 1, "files": status["files"] + 1}
    expect(camera.locator("option")).to_have_count(6)
    expect(camera).to_have_value("Acme 2023")
    with page.expect_request("**/api/search") as request:
        page.get_by_label("Words", exact=True).fill("green")
    assert "Acme 2023" in (request.value.post_data or "")


def test_the_threshold_hides_what_is_less_likely(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    many = len(names(page))
    page.get_by_role("button", name="Filters").click()
    threshold = page.get_by_label("Match of at least")
    expect(page.locator("#threshold-value")).to_have_text("any")
    threshold.fill("85")
    expect(page.locator("#threshold-value")).to_have_text("85 %")
    expect(page.locator(".tile")).not_to_have_count(many)
    threshold.fill("100")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("button", name="Show the closest matches anyway").click()
    expect_first(page, "left.png")
    expect(page.locator("#threshold-value")).to_have_text("any")


def test_copies_are_folded_and_listed(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png, ")
    expect(page.locator(".tile .folded").first).to_have_text("+1")
    page.locator(".tile .open").first.click()
    page.locator("#viewer-duplicates summary").click()
    expect(page.locator("#viewer-duplicates li")).to_have_text(["Pictures/twice/left again.png"])
    page.keyboard.press("Escape")
    # A filter that only the copy passes: it is what is named, copied and saved.
    page.locator("#filters-open").click()
    page.locator("#name").fill("again")
    expect_first(page, "left again.png")
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer-name")).to_have_text("left again.png")
    expect(page.locator("#viewer-duplicates li")).to_have_text(["Pictures/left.png"])
    expect(page.locator("#copy-path")).to_have_attribute("title", re.compile("/Pictures/twice/left again.png$"))
    with page.expect_download() as download:
        page.locator("#viewer-download").click()
    assert download.value.suggested_filename == "left again.png"


def test_scrolling_brings_more_and_never_twice(page: Page, served: Served) -> None:
    page.get_by_label("Words", exact=True).fill("yellow")
    expect(page.locator(".tile")).to_have_count(48)
    expect(page.locator("#count")).to_have_text("48 photos and more")
    all_photos = served.status()["photos"]
    while (shown := page.locator(".tile").count()) < all_photos:
        page.mouse.wheel(0, 20_000)
        expect(page.locator(".tile")).not_to_have_count(shown)
    assert shown == all_photos
    expect(page.locator("#count")).to_have_text(f"{all_photos} photos")
    ids = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.dataset.id)")
    assert len(set(ids)) == all_photos


def test_hits_that_stay_are_not_created_again(page: Page) -> None:
    """The same photo keeps its element and its picture from answer to answer: no flicker."""
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.locator(".tile", has_text="right.png").evaluate("tile => { tile.mark = 'the same' }")
    page.locator("#flip").click()
    expect_first(page, "right.png")
    assert page.locator(".tile").first.evaluate("tile => tile.mark") == "the same"


def test_nothing_moves_when_pictures_arrive(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    in_sight = """tiles => {
      const boxes = tiles.map((tile) => tile.getBoundingClientRect().toJSON());
      return boxes.filter(({ top }) => top < innerHeight);
    }"""
    before = page.locator(".tile").evaluate_all(in_sight)
    expect(page.locator(".tile.loaded").nth(5)).to_be_visible()
    expect(page.locator(".tile")).to_have_count(48)  # those below follow
    assert len(before) > 5 and page.locator(".tile").evaluate_all(in_sight) == before


def give_all_shapes(page: Page) -> None:
    """Answers to searches say that their photos have very different shapes."""
    shapes = [(3, 2), (2, 3), (4, 3), (6, 1), (1, 4), (16, 9), (1, 1), (5, 2)]

    def answer(route: Route) -> None:
        found = route.fetch().json()
        for place, hit in enumerate(found["hits"]):
            hit["width"], hit["height"] = (100 * side for side in shapes[(place * place + place // 3) % len(shapes)])
        route.fulfill(json=found)

    page.route("**/api/search", answer)


@pytest.mark.parametrize("width", [1920, 1280, 820, 390])
def test_photos_out_of_sight_come_later_and_move_nothing(page: Page, width: int) -> None:
    give_all_shapes(page)
    page.set_viewport_size({"width": width, "height": 1000})
    page.evaluate(
        """() => {
          const grid = document.getElementById("grid");
          new MutationObserver(() => {
            const tiles = [...grid.querySelectorAll(".tile:not(.skeleton)")];
            if (!tiles.length || window.first) return;
            const boxes = tiles.map((tile) => tile.getBoundingClientRect().toJSON());
            window.first = { count: tiles.length, boxes, bottom: Math.max(...boxes.map(({ bottom }) => bottom)) };
          }).observe(grid, { childList: true });
        }"""
    )
    page.get_by_label("Words", exact=True).fill("yellow")
    expect(page.locator(".tile")).to_have_count(48)
    first = page.evaluate("first")
    boxes = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.getBoundingClientRect().toJSON())")
    assert 10 <= first["count"] < 48 and first["boxes"] == boxes[: first["count"]]
    assert first["count"] == 10 or first["bottom"] > 990  # there is a gap below a row
    # The last row is in sight, or holds the last of the ten that come in any case.
    last = [box for box in first["boxes"] if box["top"] == first["boxes"][-1]["top"]]
    assert last[0]["top"] < 1000 or first["count"] - len(last) < 10
    page.unroute_all(behavior="wait")


def test_rows_are_filled_whatever_the_shapes_of_photos(page: Page) -> None:
    give_all_shapes(page)
    # One search: the second answer to a drawing would place the photos again.
    page.get_by_label("Words", exact=True).fill("yellow")
    expect(page.locator(".tile")).to_have_count(48)
    for width in (1920, 1280, 820, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        least, left, right, boxes = page.evaluate(
            """() => {
              const grid = document.getElementById("grid");
              const tiles = [...grid.children].map((tile) => tile.getBoundingClientRect());
              const { left, right } = grid.getBoundingClientRect();
              const row = parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
              return [row, left, right, tiles.map(({ left, right, top, height }) => [left, right, top, height])];
            }"""
        )
        rows: dict[int, list[list[float]]] = {}
        for box in boxes:
            rows.setdefault(round(box[2]), []).append(box)
        *full, last = rows.values()
        for row in full:
            assert row[0][0] == pytest.approx(left, abs=1) and row[-1][1] == pytest.approx(right, abs=1), width
        most = 2.3 * least if width > 320 else right - left  # on the narrowest, a square may fill a row
        for row in (*full, last):
            assert all(least - 1 <= height <= most for *_, height in row), (width, row)
            assert max(height for *_, height in row) - min(height for *_, height in row) < 1, (width, row)
    # Up and down lead to the nearest photo of the next row.
    first = next(iter(rows.values()))
    page.locator(".tile .open").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tile .open").nth(len(first))).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    above = sum(map(len, list(rows.values())[:-1]))
    place = page.evaluate("[...document.querySelectorAll('.tile .open')].indexOf(document.activeElement)")
    assert above - len(full[-1]) <= place < above
    page.unroute_all(behavior="wait")


def test_an_older_answer_never_replaces_a_newer_one(page: Page) -> None:
    """The first search is answered last: it was cancelled, and its photos are not shown."""
    held: list[bool] = []

    def hold_the_first(route: Route) -> None:
        if "red" in (route.request.post_data or ""):
            held.append(True)
            return  # never answered
        route.continue_()

    page.route("**/api/search", hold_the_first)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    words = page.get_by_label("Words", exact=True)
    with page.expect_request("**/api/search"):
        words.fill("red")
    words.fill("blue")
    expect_first(page, "blue.png")
    assert held and any("search" in url for url in failed), "the first search was not cancelled"


def test_large_view_goes_through_the_photos(page: Page, served: Served) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    order = names(page)
    page.locator(".tile .open").first.click()
    expect(page.get_by_role("dialog", name="left.png")).to_be_visible()
    expect(page.locator("#viewer-previous")).to_be_disabled()
    expect(page.locator("#viewer-facts")).to_contain_text("160 × 120")
    expect(page.locator("#viewer-facts")).to_contain_text("Pictures")
    expect(page.locator("#viewer-facts")).to_contain_text("%")
    expect(page.locator("#copy-path")).to_be_enabled()
    page.locator("#copy-path").click()
    expect(page.locator("#toast")).to_have_text("Path copied.")
    assert page.evaluate("navigator.clipboard.readText()") == str(served.home / "Pictures" / "left.png")
    page.locator("#copy-name").click()
    expect(page.locator("#toast")).to_have_text("Name copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "left.png"
    for place in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(page.locator("#viewer-name")).to_have_text(order[place])
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer-name")).to_have_text(order[1])
    page.wait_for_function("document.querySelector('#viewer-photo').naturalWidth > 0")
    page.locator("#viewer-less").click()  # and goes on from where the unwanted one was
    expect(page.locator(".chip")).to_contain_text(order[1])
    expect(page.locator(".tile .name", has_text=re.compile(f"^{re.escape(order[1])}$"))).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer-name")).to_have_text("left.png")
    page.locator("#viewer-more").click()
    expect(page.locator("#viewer-more")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator(".tile .open").first).to_be_focused()


def test_large_view_pages_on_past_the_last_photo(page: Page, served: Served) -> None:
    page.get_by_label("Words", exact=True).fill("yellow")
    expect(page.locator(".tile")).to_have_count(48)
    page.locator(".tile .open").nth(46).focus()
    page.keyboard.press("Enter")
    for _ in range(3):
        before = page.locator("#viewer-place").inner_text()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#viewer-place")).not_to_have_text(before)
    expect(page.locator("#viewer-place")).to_have_text(re.compile("^50 of "))
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.locator(".tile .open").first.click()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-place")).to_have_text(re.compile("^31 of "))
    page.keyboard.press("Escape")  # to the photo that was shown last, not to where the view was opened
    last = page.locator(".tile .open").nth(30)
    expect(last).to_be_focused()
    page.wait_for_timeout(300)  # closing goes back in the history, where a browser scrolls by itself
    expect(last).to_be_in_viewport()


def test_large_view_says_where_the_photos_end(page: Page) -> None:
    page.get_by_label("Words", exact=True).fill("yellow")
    page.locator(".tile .open").nth(47).click()  # the last one that is loaded
    expect(page.locator("#viewer-next")).to_be_enabled()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("File name").fill("red")
    expect(page.locator(".tile")).to_have_count(1)
    page.locator(".tile .open").click()
    expect(page.locator("#viewer-next")).to_be_disabled()
    expect(page.locator("#viewer-previous")).to_be_disabled()


def test_explaining_shows_what_matches(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.locator(".tile .open").first.click()
    page.locator("#viewer-explain").click()
    expect(page.locator("#viewer-explained")).to_contain_text("Warm parts")
    expect(page.locator("#viewer-heat")).to_be_visible()
    expect(page.locator("#viewer-drawing")).to_be_visible()
    warm = page.locator("#viewer-heat").evaluate(
        """heat => {
          const { data } = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height);
          const mean = (from, to) => {
            let sum = 0, count = 0;
            for (let y = 0; y < heat.height; y += 8) for (let x = from; x < to; x += 8) {
              sum += data[4 * (y * heat.width + Math.floor(x))];
              count++;
            }
            return sum / count;
          };
          return [mean(0, heat.width / 4), mean(heat.width / 2, heat.width)];
        }"""
    )
    assert warm[0] != warm[1]
    page.keyboard.press("ArrowRight")  # the next photo is explained as well
    expect(page.locator("#viewer-place")).to_contain_text("2 of ")
    expect(page.locator("#viewer-explained")).to_contain_text("Warm parts")
    page.locator("#viewer-explain").click()
    expect(page.locator("#viewer-heat")).to_be_hidden()


def test_strokes_and_weights_go_as_the_server_documents_them(page: Page) -> None:
    draw(page, *SIDES["top"])
    with page.expect_request(lambda request: 'name="text"' in (request.post_data or "")) as request:
        page.get_by_label("Words", exact=True).fill("red")
    fields = dict(re.findall(r'name="(\w+)"\r\n\r\n(.*?)\r\n', request.value.post_data or "", re.DOTALL))
    strokes = json.loads(fields["strokes"])
    assert strokes["sheet"] == [1000, 800] and strokes["widths"] == [1]
    [(xs, ys)] = strokes["drawing"]
    assert len(xs) == len(ys) > 3 and 90 < min(xs) < 110 and 890 < max(xs) < 910
    assert json.loads(fields["weights"]) == {"sketch": 1, "photo": 1, "text": 1}


def test_a_broader_line_is_another_drawing(page: Page) -> None:
    scores = []
    for width in ("Fine", "Broad"):
        page.get_by_role("radio", name=width).check()
        draw(page, *SIDES["left"], lift=False)
        settle(page)
        # Finished: a search that a newer one overtakes has begun to answer, but its body never comes.
        with page.expect_request_finished(lambda request: "search" in request.url) as found:
            page.mouse.up()
        answer = found.value.response()
        assert answer is not None and answer.ok
        scores.append(answer.json()["hits"][0]["score"])
        page.locator("#clear").click()
    assert scores[0] != scores[1]


def test_a_missing_photo_shows_the_reason(page: Page, watch: Watch) -> None:
    """Its tile gives the server's reason, the others are shown."""
    watch.allow("410")
    reason = "red.png has gone since it was indexed."
    answer = page.request.post(f"{page.url}api/search", multipart={"text": "red"}, headers={"Origin": page.url[:-1]})
    red = answer.json()["hits"][0]["id"]
    page.route(f"**/{red}/thumbnail*", lambda route: route.fulfill(status=410, json={"error": reason}))
    page.get_by_label("Words", exact=True).fill("red")
    expect(page.locator(".tile.failed .reason")).to_have_text(reason)
    expect(page.locator(".tile.failed")).to_have_css("position", "relative")  # it once lay over the whole page
    expect(page.locator(".tile.loaded").nth(3)).to_be_visible()


def test_a_picture_that_cannot_be_opened_is_marked_and_left_out(page: Page, watch: Watch) -> None:
    watch.allow("422")
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    page.locator("#files").set_input_files(
        {"name": "cut.png", "mimeType": "image/png", "buffer": flat((220, 30, 30))[:60]}
    )
    page.get_by_role("button", name="A photo").click()
    chip = page.locator(".chip", has_text="cut.png")
    expect(chip).to_contain_text("Cannot be used")
    expect_first(page, "red.png")
    expect(page).to_have_url(re.compile("photo="))  # which follows 0.4 s after the last change
    page.reload()
    expect_first(page, "red.png")
    page.get_by_role("button", name="Remove cut.png").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_filters_that_nothing_passes_are_named(page: Page) -> None:
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("File name").fill("no such name")
    expect(page.get_by_text("No photo passes the filters.")).to_be_visible()
    page.locator("#notice").get_by_role("button", name="Reset the filters").click()
    expect(page.locator(".cell").first).to_be_visible()
    expect(page.get_by_role("heading", name="one drawing away")).to_be_visible()
