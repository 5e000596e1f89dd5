"""One walk through all that the page can do, on a desktop, a tablet and a phone; axe looks at every state."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.gallery.photos import fill
from tests.server.page.actions import SIDES, draw, draw_with_a_finger, expect_first, expect_strokes, give, names, settle
from tests.server.page.conftest import DESKTOP, PHONE, TABLET, OpenPage, Served
from tests.server.page.sample_gallery import make_gallery
from tests.server.page.test_access import check
from tests.server.page.test_drawing import box_of


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gallery that every walk changes and leaves as it was; below its home there is another folder with photos."""
    home = tmp_path_factory.mktemp("devices")
    photos = make_gallery(home / "me" / "Pictures")
    fill(home / "me" / "Work" / "Scans", 3, first=500)
    arguments = [str(photos), "--gallery", str(home / "gallery"), "--browse", str(home / "me")]
    server = Served(arguments, home).start()
    yield server.ready()
    server.stop()


class Walk:
    """Uses the page on a device; ``touch``: draws with a finger."""

    def __init__(self, page: Page, touch: bool) -> None:
        self.page, self.touch = page, touch

    def press(self, target: str | Locator) -> None:
        (self.page.locator(target) if isinstance(target, str) else target).click()

    def draw(self, side: str) -> None:
        (draw_with_a_finger if self.touch else draw)(self.page, *SIDES[side])

    def check(self) -> None:
        check(self.page, both_schemes=not self.touch)
        width = self.page.evaluate("innerWidth")
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than its window"

    def select(self, place: int) -> None:
        """Select a hit: on a touch screen the first one in its large view, because a touch opens it."""
        tile = self.page.locator(".tile").nth(place)
        if self.touch and not self.page.locator("#selection").is_visible():
            self.press(tile.locator(".open"))
            self.press("#viewer-select")
            self.press("#viewer-close")
            expect(self.page.locator("#viewer")).to_be_hidden()
        else:
            tile.hover()
            self.press(tile.locator(".select"))


DEVICES = [DESKTOP, TABLET | {"color_scheme": "dark"}, PHONE]  # the first is looked at in light and in dark


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES, ids=["desktop", "tablet", "phone"])
def test_all_that_the_page_can_do(open_page: OpenPage, changing: Served, device: dict[str, Any]) -> None:
    page = open_page(changing, **device, reduced_motion="reduce")
    walk = Walk(page, touch="has_touch" in device)
    for part in (browse, colours, refine, look_closely, collect, save, change_folders, add_pictures, fill_the_screen):
        part(walk)
        expect(page.locator("dialog[open]")).to_have_count(0)
        expect(page.locator(".cell.loaded").first).to_be_visible()  # all is as it was
    for opener in ("#help-open", "#searches-open"):
        walk.press(opener)
        walk.check()
        walk.press(page.locator("dialog[open] [data-close]"))


def browse(walk: Walk) -> None:
    page = walk.page
    heads, order = page.locator("#timeline-heads h3"), page.get_by_label("Order of all photos")
    expect(heads.first).to_contain_text("July 2024")
    expect(page.locator(".cell.loaded").first).to_be_visible()
    walk.check()
    order.select_option("folder")
    expect(heads.first).to_contain_text("Pictures4 photos")
    walk.check()
    page.get_by_label("Go to a folder").select_option("Pictures/twice")
    walk.press(page.locator(".cell .open[aria-label^='left']").last)
    expect(page.locator("#viewer-place")).to_have_text("121 of 121")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    order.select_option("date")
    expect(heads.first).to_contain_text("July 2024")


def colours(walk: Walk) -> None:
    page = walk.page
    walk.press(page.get_by_title("Red", exact=True))
    walk.draw("left")
    expect_strokes(page, 1)
    walk.press(page.get_by_label("Colours only"))
    expect_first(page, "red.png")
    expect(page).to_have_url(re.compile("colours=only"))
    walk.check()
    walk.press(page.get_by_title("No colour"))
    walk.press("#clear")


def refine(walk: Walk) -> None:
    """Words, filters and marks."""
    page = walk.page
    page.get_by_label("Words", exact=True).fill("green")
    expect_first(page, "green.png")
    walk.press("#filters-open")
    page.locator("#under").select_option("Pictures/holiday")
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_label("Year or month").select_option("July 2023")
    expect(page.locator(".tile .name")).to_have_text(["2023.jpg"])
    expect(page.locator("#to")).to_have_value("2023-07-31")
    page.locator("#from").fill("2023-01-01")
    page.locator("#to").fill("2024-12-31")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Kind of file").select_option("JPEG")
    page.get_by_label("Camera").select_option("Acme 2024 (1)")
    expect(page.locator(".tile .name")).to_have_text(["2024.jpg"])
    walk.check()
    page.get_by_label("File name").fill("2023")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    walk.check()
    expect(page).to_have_url(re.compile(r"under=.*from=2023-01-01&to=2024-12-31&name=2023&kind=jpeg&camera=Acme\+2024"))
    walk.press(page.locator("#notice").get_by_role("button", name="Reset the filters"))
    expect_first(page, "green.png")
    walk.press("#filters-open")
    page.get_by_label("Words to exclude").fill("blue")
    walk.draw("left")
    expect(page.locator("#balance-row")).to_be_visible()
    for place, mark in enumerate(("#viewer-more", "#viewer-less")):
        settle(page)
        walk.press(page.locator(".tile .open").nth(place))
        walk.press(mark)
        walk.press("#viewer-close")
    expect(page.locator(".chip")).to_have_count(2)
    walk.check()
    for _ in range(2):
        walk.press(page.locator(".chip").first.get_by_role("button", name="Remove"))
    page.get_by_label("Words", exact=True).fill("")
    page.get_by_label("Words to exclude").fill("")
    walk.press("#clear")


def look_closely(walk: Walk) -> None:
    page = walk.page
    walk.draw("left")
    expect_first(page, "left.png")
    settle(page)
    if walk.touch:  # the count of copies stands beside the circle that selects
        assert box_of(page, ".tile .select >> nth=0")[2] < box_of(page, ".tile .folded >> nth=0")[0]
    walk.press(page.locator(".tile .open").first)
    expect(page.locator("#viewer-facts")).to_contain_text("kB")
    walk.check()
    walk.press("#viewer-explain")
    expect(page.locator("#viewer-explained")).to_contain_text("Warm parts")
    walk.check()
    walk.press("#viewer-next")
    expect(page.locator("#viewer-place")).to_contain_text("2 of ")
    expect(page.locator("#viewer-explained")).to_contain_text("Warm parts")
    walk.press("#viewer-explain")
    walk.press("#viewer-close")
    expect(page.locator(".tile .open").nth(1)).to_be_focused()
    walk.press("#clear")


def collect(walk: Walk) -> None:
    page = walk.page
    walk.draw("left")
    expect_first(page, "left.png")
    settle(page)
    order = names(page)
    walk.select(0)
    walk.select(2)
    expect(page.locator("#selection-count")).to_have_text("2 photos selected")
    walk.check()
    walk.press("#selection-collect")
    page.locator("#collections-name").fill("Bars")
    walk.check()
    walk.press(page.get_by_role("button", name="Add to a new collection"))
    expect(page.locator("#toast")).to_have_text("2 photos added to Bars.")
    walk.press("#clear")
    walk.press("#collections-open")
    expect(page.locator("#collections-list li")).to_contain_text("2 photos")
    walk.check()
    walk.press(page.locator("#collections-list").get_by_text("Bars"))
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    expect(page.locator(".tile .name")).to_have_text([order[0], order[2]])
    expect(page.locator(".tile").first).to_be_in_viewport()
    page.wait_for_url("**collection=Bars")
    page.reload()
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    walk.select(1)
    walk.check()
    walk.press("#selection-remove")
    expect(page.locator("#count")).to_have_text("Bars: 1 photo")
    walk.press("#collection-close")
    expect(page.locator(".cell").first).to_be_visible()
    expect(page).not_to_have_url(re.compile("collection="))
    page.once("dialog", lambda dialog: dialog.accept())
    walk.press("#collections-open")
    walk.press(page.get_by_role("button", name="Delete Bars"))
    expect(page.locator("#collections-none")).to_contain_text("None yet")
    walk.press(page.locator("dialog[open] [data-close]"))


def save(walk: Walk) -> None:
    page = walk.page
    walk.draw("left")
    expect_first(page, "left.png")
    walk.press("#searches-open")
    page.locator("#saved-name").fill("Left")
    walk.press(page.get_by_role("button", name="Save this search"))
    expect(page.locator("#toast")).to_have_text("Saved as Left.")
    walk.press("#clear")
    expect_strokes(page, 0)
    walk.press("#searches-open")
    walk.check()
    walk.press(page.locator("#saved-list").get_by_text("Left"))
    expect_strokes(page, 1)
    expect_first(page, "left.png")
    walk.press("#searches-open")
    page.on("dialog", lambda dialog: dialog.accept())
    walk.press(page.get_by_role("button", name="Delete Left"))
    expect(page.locator("#saved-list li")).to_have_count(0)
    walk.press(page.locator("dialog[open] [data-close]"))
    walk.press("#clear")


def change_folders(walk: Walk) -> None:
    page = walk.page
    walk.press("#gallery-open")
    walk.press("#add-folder")
    places = page.get_by_role("dialog", name="Add a folder of photos")
    walk.press(places.get_by_role("button", name="Work"))
    expect(places.get_by_role("button", name="Scans")).to_be_visible()
    walk.check()
    walk.press(places.get_by_role("button", name="Add this folder"))
    expect(places).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("123 photos")
    with page.expect_response("**/api/folders/scan*"):
        walk.press("#rescan")
    expect(page.locator("#rescan")).to_be_enabled()
    if find_spec("watchfiles"):
        for on in (True, False):
            walk.press("#watch-folders")
            expect(page.locator("#watch-folders")).to_be_checked(checked=on)
    walk.press(page.locator("#models summary"))
    expect(page.locator("#models li").first).to_be_visible()
    walk.press(page.get_by_role("button", name="Forget Work"))
    walk.check()
    walk.press(page.get_by_role("button", name="Forget its photos"))
    expect(page.locator("#summary")).to_contain_text("120 photos")
    walk.press(page.locator("dialog[open] [data-close]"))


def add_pictures(walk: Walk) -> None:
    """One of which the user says what it is."""
    page = walk.page
    half = Image.new("RGB", (40, 40), "white")
    half.paste((90, 160, 60), (0, 0, 40, 22))
    give(page, "paste", "half.png", half)
    dialog = page.get_by_role("dialog", name="What is this picture?")
    expect(dialog).to_be_visible()
    walk.check()
    walk.press(dialog.get_by_role("button", name="A photo"))
    expect(page.locator(".tile").first).to_be_visible()
    walk.press(page.get_by_role("button", name="Remove half.png"))


def fill_the_screen(walk: Walk) -> None:
    page = walk.page
    walk.press("#full")
    walk.draw("left")
    expect_first(page, "left.png")
    walk.check()
    walk.press("#clear")
    walk.draw("top")
    guess = page.get_by_role("button", name="shelf?")
    expect(guess).to_be_visible()
    walk.check()
    walk.press(guess)
    expect(page.get_by_label("Words", exact=True)).to_have_value("shelf")
    page.get_by_label("Words", exact=True).fill("")
    walk.press("#full")
    walk.press("#clear")
