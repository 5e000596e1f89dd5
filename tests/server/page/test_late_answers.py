"""Answers that come late or in another order: what was done last counts."""

import re

from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes, give, names, settle
from tests.server.page.conftest import OpenPage, Served, Watch

COLLECTED = "**/api/collections/photos*"


class Held:
    """The requests to some address, which are answered when the test says so."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page = page
        self.pattern = pattern
        self.routes: list[Route] = []
        page.route(pattern, lambda route: self.routes.append(route))

    def expect(self, count: int) -> None:
        for _ in range(1000):
            if len(self.routes) >= count:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{len(self.routes)} requests to {self.pattern}, not {count}")

    def answer(self, *places: int) -> None:
        """Answer some of them, all without ``places``, and let the page read the answers."""
        routes = [self.routes[place] for place in places] if places else self.routes
        for route in routes:
            url = route.request.url
            with self.page.expect_response(url):
                route.continue_()
        self.page.wait_for_timeout(200)

    def end(self) -> None:
        self.page.unroute(self.pattern)


def collect_two(page: Page, name: str) -> list[str]:
    """A collection of the first two hits, in a page without a query at the end."""
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    found = names(page)[:2]
    for place in range(2):
        page.locator(".tile .open").nth(place).click(modifiers=["Control"])
    page.locator("#selection-collect").click()
    page.locator("#collections-name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text(f"2 photos added to {name}.")
    page.locator("#clear").click()
    expect(page.locator(".cell").first).to_be_visible()
    return found


def open_collection(page: Page, name: str) -> None:
    page.locator("#collections-open").click()
    page.locator("#collections-list").get_by_text(name).click()


def test_the_timeline_comes_late(page: Page) -> None:
    held = Held(page, "**/api/timeline?*")
    page.reload()
    held.expect(1)
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    held.answer()
    expect(page.locator("#timeline")).to_be_hidden()
    expect(page.locator("#timeline-bar")).to_be_hidden()
    page.get_by_label("Words", exact=True).fill("")
    expect(page.locator(".cell").first).to_be_visible()


def test_a_status_that_was_overtaken(page: Page, served: Served) -> None:
    status = served.status()
    held = Held(page, "**/api/status")
    page.reload()
    held.expect(1)
    page.locator("#gallery-open").click()
    page.route("**/api/folders/scan*", lambda route: route.fulfill(status=202, json=status["indexing"]))
    held.routes.pop().fulfill(json=status)
    page.locator("#rescan").click()
    held.expect(1)
    page.locator("#rescan").click()
    held.expect(2)
    held.routes[1].fulfill(json=status | {"photos": 7})
    expect(page.locator("#summary")).to_contain_text("7 photos")
    held.routes[0].fulfill(json=status)
    page.wait_for_timeout(200)
    expect(page.locator("#summary")).to_contain_text("7 photos")


def test_a_collection_that_is_still_loading_gives_way(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    found = collect_two(page, "Bars")
    # Words take its place.
    held = Held(page, COLLECTED)
    open_collection(page, "Bars")
    held.expect(1)
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    held.answer()
    expect_first(page, "red.png")
    expect(page.locator("#collection-close")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("collection="))
    held.end()
    # Back goes from a collection to the words; Forward and, before it has loaded, Back again stay there.
    open_collection(page, "Bars")
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    page.go_back()
    expect_first(page, "red.png")
    held = Held(page, COLLECTED)
    page.go_forward()
    held.expect(1)
    page.wait_for_timeout(600)  # the address follows what is shown, meanwhile
    page.go_back()
    expect(page).not_to_have_url(re.compile("collection="))
    held.answer()
    expect_first(page, "red.png")
    held.end()
    # Another one is opened before the first has come: Back leads to the words all the same.
    held = Held(page, COLLECTED)
    for count in (1, 2):
        open_collection(page, "Bars")
        held.expect(count)
    held.answer()
    held.end()
    expect(page.locator(".tile .name")).to_have_text(found)
    page.locator("#collection-close").dblclick()
    expect_first(page, "red.png")
    assert page.url.startswith(own.url)
    # Forward while the search that closes it is not answered yet: it stays open.
    page.go_forward()
    expect(page.locator(".tile .name")).to_have_text(found)
    held = Held(page, "**/api/search")
    page.go_back()
    held.expect(1)
    page.go_forward()
    page.wait_for_url("**collection=Bars")
    held.end()
    settle(page)
    expect(page.locator(".tile .name")).to_have_text(found)
    page.wait_for_timeout(600)  # the address follows what is shown
    expect(page).to_have_url(re.compile("collection=Bars"))


def test_two_steps_back_from_a_photo_of_a_collection_close_both(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    found = collect_two(page, "Bars")
    open_collection(page, "Bars")
    expect(page.locator(".tile .name")).to_have_text(found)
    page.wait_for_url("**collection=Bars")
    page.locator(".tile .open").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    page.evaluate("history.go(-2)")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator(".cell").first).to_be_visible()
    page.wait_for_timeout(600)  # the address follows what is shown
    assert "#" not in page.url


def test_what_is_selected_meanwhile_stays_selected(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    collect_two(page, "Bars")
    page.get_by_label("Words", exact=True).fill("green")
    expect_first(page, "green.png")
    tiles = page.locator(".tile .open")
    tiles.nth(0).click(modifiers=["Control"])
    held = Held(page, "**/api/collections/add*")
    page.locator("#selection-collect").click()
    page.locator("#collections-list").get_by_text("Bars").click()
    held.expect(1)
    tiles.nth(3).click(modifiers=["Control"])
    expect(page.locator("#selection-count")).to_have_text("2 photos selected")
    held.answer()
    expect(page.locator("#selection-count")).to_have_text("1 photo selected")
    # What is removed from a collection that is closed by then does not open it again.
    page.keyboard.press("Escape")
    open_collection(page, "Bars")
    expect(page.locator("#count")).to_have_text("Bars: 3 photos")
    tiles.nth(2).click(modifiers=["Control"])
    held = Held(page, "**/api/collections/remove*")
    page.locator("#selection-remove").click()
    held.expect(1)
    page.locator("#collection-close").click()
    expect_first(page, "green.png")
    held.answer()
    expect_first(page, "green.png")
    expect(page.locator("#collection-close")).to_be_hidden()


def test_a_dialog_does_not_open_over_what_was_opened_since(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    collect_two(page, "Bars")
    held = Held(page, "**/api/collections")
    page.locator("#collections-open").click()
    held.expect(1)
    page.locator(".cell .open").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    held.answer()
    expect(page.locator("#collections")).to_be_hidden()


def test_a_folder_is_chosen_once(own: Served, open_page: OpenPage) -> None:
    """Also by a double click, and its answer does not close a dialog that was opened since."""
    page = open_page(own)
    collect_two(page, "Bars")
    open_collection(page, "Bars")
    page.locator("#collection-export").click()
    chooser = page.get_by_role("dialog", name="Copy the photos into a folder")
    page.get_by_role("button", name="Copy into a folder").click()
    chooser.get_by_role("button", name="Out").click()
    held = Held(page, "**/api/collections/copy*")
    chooser.get_by_role("button", name="Copy here").dblclick()
    held.expect(1)
    expect(chooser.get_by_role("button", name="Copy here")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(chooser).to_be_hidden()
    page.get_by_role("button", name="Copy into a folder").click()
    expect(chooser.get_by_role("button", name="Copy here")).to_be_enabled()
    held.answer()
    expect(chooser).to_be_visible()
    assert len(held.routes) == 1
    assert len(list((own.home / "Out" / "Bars").iterdir())) == 2


def test_a_short_silence_of_the_server_leaves_a_collection_open(own: Served, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("net::ERR_")
    page = open_page(own)
    found = collect_two(page, "Bars")
    open_collection(page, "Bars")
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    page.locator("#gallery-open").click()
    page.route("**/api/status", lambda route: route.abort())
    page.locator("#rescan").click()
    expect(page.locator("#summary")).to_have_text("not connected")
    page.unroute("**/api/status")
    expect(page.locator("#summary")).to_contain_text("120 photos")
    settle(page)
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    expect(page.locator(".tile .name")).to_have_text(found)


def test_a_reload_in_a_collection_does_not_wait_for_it(own: Served, open_page: OpenPage) -> None:
    page = open_page(own)
    collect_two(page, "Bars")
    open_collection(page, "Bars")
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")
    page.wait_for_url("**collection=Bars")
    held = Held(page, COLLECTED)
    page.reload()
    held.expect(1)
    expect(page.locator("#sheet")).to_be_visible()
    expect(page.locator("#summary")).to_contain_text("120 photos")
    held.answer()
    expect(page.locator("#count")).to_have_text("Bars: 2 photos")


def test_the_models_come_late(page: Page, served: Served) -> None:
    """States that come meanwhile are no errors."""
    status = served.status()
    status["indexing"] |= {"state": "indexing", "done": 40, "total": 200, "photos_per_s": None}
    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.reload()
    held = Held(page, "**/api/models")
    page.locator("#gallery-open").click()
    held.expect(1)
    for done in (50, 60):
        status["indexing"] |= {"done": done}
        expect(page.locator("#folders-progress")).to_have_text(f"indexing {done} of 200")
    held.answer(0)
    expect(page.locator("#models")).to_contain_text("Searches use")


def test_more_photos_are_those_of_the_search_that_is_shown(page: Page) -> None:
    page.get_by_label("Words", exact=True).fill("red")
    expect_first(page, "red.png")
    expect(page.locator(".tile")).to_have_count(48)
    held = Held(page, "**/api/search")
    page.get_by_label("Words", exact=True).fill("blue")
    held.expect(1)
    page.mouse.move(900, 500)
    page.mouse.wheel(0, 20_000)
    held.expect(2)
    more = next(route for route in held.routes if 'name="offset"' in (route.request.post_data or ""))
    assert 'name="text"\r\n\r\nred\r\n' in (more.request.post_data or "")
    for route in held.routes:
        route.continue_()
    held.end()
    expect_first(page, "blue.png")


def test_a_high_window_is_filled(open_page: OpenPage, served: Served) -> None:
    """Where the first 48 photos, and the next, do not reach its end."""
    page = open_page(served, viewport={"width": 3000, "height": 2000})
    page.get_by_label("Words", exact=True).fill("yellow")
    expect(page.locator(".tile")).to_have_count(served.status()["photos"])


def test_two_pictures_are_two_questions(page: Page) -> None:
    half = Image.new("RGB", (40, 40), "white")
    half.paste((90, 160, 60), (0, 0, 40, 22))
    question = page.get_by_role("dialog", name="What is this picture?")
    give(page, "paste", "one.png", half)
    expect(question).to_contain_text("one.png")
    give(page, "paste", "two.png", half)
    page.wait_for_timeout(200)
    expect(question).to_contain_text("one.png")
    question.get_by_role("button", name="A photo").click()
    expect(question).to_contain_text("two.png")
    question.get_by_role("button", name="A drawing").click()
    expect(page.locator(".chip")).to_have_count(2)


def test_the_way_to_the_photos_leaves_the_query(page: Page) -> None:
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    page.get_by_text("Skip to the photos").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_be_focused()
    page.wait_for_timeout(200)
    expect_strokes(page, 1)
    expect_first(page, "left.png")
