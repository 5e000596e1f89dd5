"""Folders on the page: from an empty gallery to photos, and all that can be done with a folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.gallery.photos import fill, png, put
from tests.server.page.conftest import PHONE, OpenPage, Served, Watch
from tests.server.page.test_access import check


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Served]:
    """A server with an empty gallery that may add folders below a home."""
    home = tmp_path / "me"
    fill(home / "Pictures", 6)
    put(home / "Pictures" / "broken.jpg", b"\xff\xd8\xff not a photo")
    fill(home / "Work" / "Scans" / "2024", 3, first=50)
    (home / ".secret").mkdir()
    server = Served(["--gallery", str(tmp_path / "gallery"), "--browse", str(home)], tmp_path).start()
    yield server
    server.stop()


def test_from_the_first_run_to_all_folders(empty: Served, open_page: OpenPage) -> None:
    page = open_page(empty)
    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Add Pictures").click()
    expect(page.locator("#summary")).to_contain_text("6 photos")

    # Another one, found by the keyboard.
    page.locator("#gallery-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#add-folder")).to_be_enabled()
    page.locator("#add-folder").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add a folder of photos")
    expect(dialog.locator("#places-name")).to_have_text("me")
    expect(dialog.locator(".place")).to_have_text(["Pictures", "Work"])
    check(page)
    dialog.get_by_role("button", name="Work").click()
    dialog.get_by_role("button", name="Scans").click()
    expect(dialog.locator("#places-count")).to_have_text("No photos here, 1 folder")
    dialog.get_by_role("button", name="Up").click()
    expect(dialog.locator("#places-name")).to_have_text("me/Work")
    dialog.get_by_role("button", name="Add this folder").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("9 photos")
    expect(page.locator("#folders .places li")).to_have_count(2)

    # New photos are found by looking, and failed files are tried again.
    put(empty.home / "me" / "Pictures" / "broken.jpg", png(77))
    page.locator("#rescan").click()  # waits until it is there: the run has ended
    expect(page.locator("#summary")).to_have_text("10 photos")
    expect(page.locator("#retry-failed")).to_have_count(0)

    # A folder is forgotten only after a question, and its files stay.
    page.get_by_role("button", name="Forget Pictures").click()
    check(page)
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("button", name="Forget Pictures")).to_be_focused()
    page.get_by_role("button", name="Forget Pictures").click()
    page.get_by_role("button", name="Forget its photos").click()
    expect(page.locator("#summary")).to_have_text("3 photos")
    expect(page.locator("#folders .places li")).to_have_count(1)
    assert len(list((empty.home / "me" / "Pictures").iterdir())) == 7

    # Changes are followed while the switch is on.
    pytest.importorskip("watchfiles")
    with page.expect_response("**/api/folders/watch*"):
        page.get_by_role("switch").check()
    expect(page.get_by_role("switch")).to_be_checked()
    assert empty.status()["watching"]
    time.sleep(0.5)
    fill(empty.home / "me" / "Work", 1, first=90)
    expect(page.locator("#summary")).to_have_text("4 photos")


def test_a_run_is_paused_and_continued(page: Page, served: Served) -> None:
    status = served.status()
    asked: list[str] = []
    page.route("**/api/status", lambda route: route.fulfill(json=status))

    def answer(route: object) -> None:
        asked.append(route.request.url.rpartition("/")[2])  # type: ignore[attr-defined]
        status["indexing"]["state"] = "stopped" if asked[-1] == "stop" else "indexing"
        route.fulfill(status=202, json=status["indexing"])  # type: ignore[attr-defined]

    page.route("**/api/indexing/*", answer)
    status["indexing"] |= {"state": "indexing", "done": 40, "total": 200, "photos_per_s": None}
    page.reload()
    page.locator("#gallery-open").click()
    expect(page.locator("#folders-progress")).to_have_text("indexing 40 of 200")
    expect(page.locator("#add-folder")).to_be_disabled()
    page.locator("#pause").click()
    expect(page.locator("#folders")).to_contain_text("Paused.")
    page.locator("#resume").click()
    expect(page.locator("#pause")).to_be_visible()
    assert asked == ["stop", "resume"]


def test_a_folder_still_read_is_not_taken_for_the_one_before(empty: Served, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    page = open_page(empty)
    page.get_by_role("button", name="Choose a folder").click()
    dialog = page.get_by_role("dialog", name="Add a folder of photos")
    expect(dialog.locator("#places-name")).to_have_text("me")
    add = dialog.get_by_role("button", name="Add this folder")
    expect(add).to_be_enabled()
    held: list[Route] = []
    page.route("**/api/places*", lambda route: held.append(route))
    with page.expect_request("**/api/places*"):
        dialog.get_by_role("button", name="Work").click()
    expect(add).to_be_disabled()
    # Another click before the answer: the last one counts, whatever is answered first.
    with page.expect_request("**/api/places*"):
        dialog.get_by_role("button", name="Pictures").click()
    for route in reversed(held):
        with page.expect_response("**/api/places*"):
            route.continue_()
    page.wait_for_timeout(100)  # for the page to read the older answer
    expect(dialog.locator("#places-name")).to_have_text("me/Pictures")
    expect(add).to_be_enabled()
    page.unroute("**/api/places*")
    # A folder that cannot be read leaves the one before.
    page.route("**/api/places*", lambda route: route.fulfill(status=404, json={"error": "The folder is not there."}))
    dialog.get_by_role("button", name="Up").click()
    expect(dialog.get_by_role("alert")).to_have_text("The folder is not there.")
    expect(add).to_be_enabled()
    expect(dialog.locator("#places-name")).to_have_text("me/Pictures")


def test_on_a_phone_the_dialog_fits(empty: Served, open_page: OpenPage) -> None:
    page = open_page(empty, **PHONE)
    page.get_by_role("button", name="Choose a folder").tap()
    dialog = page.get_by_role("dialog", name="Add a folder of photos")
    expect(dialog.locator(".place")).to_have_count(2)
    check(page)
    box = dialog.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
