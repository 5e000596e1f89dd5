"""What the page shows without photos, during indexing, and after an error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.gallery.photos import fill, put
from tests.server.page.actions import SIDES, draw, expect_first, expect_strokes, settle
from tests.server.page.conftest import OpenPage, Served, Watch


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A server with twelve photos that a test may stop and start."""
    fill(tmp_path / "Pictures", 12)
    server = Served([str(tmp_path / "Pictures"), "--gallery", str(tmp_path / "gallery")], tmp_path).start()
    yield server.ready()
    server.stop()


def test_first_run_says_what_to_do(open_page: OpenPage, tmp_path: Path) -> None:
    server = Served(["--gallery", str(tmp_path / "gallery")], tmp_path)
    put(tmp_path / "empty" / "readme.txt", b"no photo")
    server.arguments = [str(tmp_path / "empty"), *server.arguments]
    server.start().ready()
    try:
        page = open_page(server)
        expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
        expect(page.get_by_text("contain no photos")).to_be_visible()
        expect(page.get_by_role("button", name="Choose a folder")).to_be_visible()
        expect(page.locator("#summary")).to_have_text("0 photos")
        draw(page, *SIDES["left"])  # drawing before there are photos is allowed
        expect_strokes(page, 1)
        expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
        page.close()  # or it would notice that the server stops
    finally:
        server.stop()


def test_indexing_is_shown_with_its_speed(open_page: OpenPage, served: Served) -> None:
    indexing = {"state": "looking", "done": None, "total": None, "failed": 0, "photos_per_s": None, "seconds": 0.1}
    status: dict[str, Any] = {**served.status(), "photos": 0, "failed": 0, "failures": []}
    status["indexing"] = {**indexing, "error": None}
    page = open_page(served)
    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.reload()
    expect(page.get_by_role("heading", name="Getting to know your photos")).to_be_visible()
    expect(page.locator("#summary")).to_have_text("0 photos · looking through your folders")
    status["indexing"] |= {"state": "indexing", "done": 120, "total": 5000, "photos_per_s": 14.2}
    expect(page.get_by_text("120 of 5,000 · 14.2 photos a second")).to_be_visible()
    expect(page.locator("#first-progress")).to_have_attribute("value", "120")
    status["photos"] = 320
    status["indexing"] |= {"done": 320}
    expect(page.locator("#summary")).to_have_text("320 photos · indexing 320 of 5,000, 14 photos/s")
    expect(page.get_by_role("heading", name="320 photos, one drawing away")).to_be_visible()
    status["indexing"] |= {"state": "failed", "error": "the disk is full."}
    page.locator("#gallery-open").click()
    expect(page.locator("#gallery-body")).to_contain_text("failed: the disk is full.")


def test_failures_are_named_with_their_reasons(page: Page, served: Served) -> None:
    expect(page.locator("#summary")).to_contain_text("1 failed")
    page.locator("#gallery-open").click()
    dialog = page.get_by_role("dialog", name="Your gallery")
    [failure] = served.status()["failures"]
    expect(dialog).to_contain_text("1 photo could not be read")
    expect(dialog).to_contain_text(failure["file"])
    expect(dialog).to_contain_text(failure["reason"])
    expect(dialog).to_contain_text(str(served.home / "Pictures"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_lost_connection_is_reported_and_restored(open_page: OpenPage, own: Served, watch: Watch) -> None:
    watch.allow("net::ERR_")
    page = open_page(own)
    draw(page, *SIDES["left"])
    expect(page.locator(".tile").first).to_be_visible()
    settle(page)
    port = own.port
    before = page.locator("#sheet").bounding_box()
    own.stop()
    draw(page, *SIDES["top"])
    expect(page.get_by_role("alert")).to_contain_text("The server does not respond")
    assert page.locator("#sheet").bounding_box() == before  # a message does not move the sheet below the pen
    expect(page.locator("#summary")).to_have_text("not connected")
    expect_strokes(page, 2)
    expect(page.locator(".tile").first).to_be_visible()  # the hits stay
    with page.expect_response("**/api/search"):
        own.start(port)
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("12 photos")
    expect(page.locator(".tile").first).to_be_visible()


def test_a_search_is_repeated_when_the_server_was_busy(page: Page, watch: Watch) -> None:
    watch.allow("503")
    full = True

    def busy(route: Route) -> None:
        if full:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": "busy"})
        else:
            route.continue_()

    page.route("**/api/search", busy)
    draw(page, *SIDES["left"])
    expect(page.get_by_role("alert")).to_contain_text("The server is busy")
    full = False
    expect_first(page, "left.png")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_failed_search_can_be_repeated(page: Page, watch: Watch) -> None:
    watch.allow("500")
    page.route("**/api/search", lambda route: route.fulfill(status=500, json={"error": "The index is damaged."}))
    page.get_by_label("Words", exact=True).fill("red")
    expect(page.get_by_text("The index is damaged.").first).to_be_visible()
    page.unroute("**/api/search")
    page.get_by_role("button", name="Try again").click()
    expect_first(page, "red.png")


def test_ready_drawings_start_a_search(page: Page) -> None:
    page.get_by_role("button", name="Draw this: umbrella").click()
    expect(page.locator(".tile").first).to_be_visible()
    page.locator("#undo").click()
    expect_strokes(page, 0)
    expect(page.get_by_text("one drawing away")).to_be_visible()


def test_files_that_cannot_be_taken_are_refused_in_words(page: Page) -> None:
    page.locator("#files").set_input_files({"name": "void.png", "mimeType": "image/png", "buffer": b""})
    expect(page.locator("#toast")).to_have_text("void.png is empty.")
    strokes: FilePayload = {"name": "a.json", "mimeType": "application/json", "buffer": b"[[[0, 9], [0, 9]]]"}
    for _ in range(5):
        page.locator("#files").set_input_files(strokes)
    expect(page.locator("#toast")).to_have_text("A search can use at most 4 drawings and 4 photos.")
    expect(page.locator(".chip")).to_have_count(4)
