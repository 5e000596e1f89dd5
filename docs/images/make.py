"""Makes a picture of each state of the page, to look at.

make sample                                  # the gallery they show: OpenMoji, CC BY-SA 4.0
python docs/images/make.py FOLDER            # every state in light and dark, three sizes, into FOLDER
"""

import argparse
import io
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

HERE = Path(__file__).resolve().parent
GALLERY = HERE.parents[1] / "build" / "demo" / "gallery"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
WIDE = {"viewport": {"width": 1280, "height": 800}}
TABLET = {"viewport": {"width": 820, "height": 1180}, "is_mobile": True, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


def settled(page: Page) -> Page:
    """All photos in sight are there."""
    page.mouse.move(640, 4)
    page.locator(".tile.loaded").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    return page


def welcome(page: Page) -> None:
    page.locator(".sample").first.wait_for()


def umbrella(page: Page) -> None:
    page.get_by_role("button", name="Draw this: umbrella").click()
    settled(page)


def words(page: Page) -> None:
    page.get_by_role("button", name="Draw this: church").click()
    page.get_by_label("Words", exact=True).fill("tree")
    page.get_by_role("button", name="Filters").click()
    settled(page)


def marked(page: Page) -> None:
    umbrella(page)
    for place, name in ((0, "More like this"), (3, "Not like this")):
        page.locator(".tile").nth(place).get_by_role("button", name=name).dispatch_event("click")
        settled(page)


def large(page: Page) -> None:
    umbrella(page)
    page.locator(".tile .open").first.click()
    page.wait_for_timeout(800)


def explained(page: Page) -> None:
    large(page)
    explain(page)


def explain(page: Page) -> None:
    """In the large view."""
    if page.locator("#viewer-explain").is_visible():
        page.locator("#viewer-explain").click()
        page.get_by_text("Warm parts").wait_for()


def full_screen(page: Page) -> None:
    umbrella(page)
    page.locator("#full").click()
    settled(page)


def by_folder(page: Page) -> None:
    page.locator("#timeline-by").select_option("folder")
    page.locator("#timeline-by").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")


def colours(page: Page) -> None:
    """Two coloured strokes."""
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    for name, height in (("Blue", 0.2), ("Green", 0.8)):
        page.get_by_role("radio", name=name, exact=True).check(force=True)
        page.mouse.move(box["x"] + 0.15 * box["width"], box["y"] + height * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + height * box["height"], steps=8)
        page.mouse.up()
    settled(page)


def colours_only(page: Page) -> None:
    colours(page)
    page.get_by_label("Colours only").check()
    settled(page)


def full_screen_filters(page: Page) -> None:
    marked(page)
    page.locator("#full").click()
    page.get_by_role("button", name="Filters").click()
    settled(page)


def selected(page: Page) -> None:
    umbrella(page)
    for place in (0, 2):
        page.locator(".tile .select").nth(place).dispatch_event("click")


def searches(page: Page) -> None:
    umbrella(page)
    page.wait_for_timeout(700)
    page.locator("#searches-open").click()


COLLECTIONS = [{"name": name, "photos": photos, "missing": 0} for name, photos in (("By the sea", 9), ("Print", 24))]


def kept(page: Page) -> None:
    """The server has two collections and a saved search."""
    found = {"collections": COLLECTIONS, "searches": [{"name": "Boats at dawn", "query": {"address": "text=boat"}}]}
    page.route("**/api/collections", lambda route: route.fulfill(json=found))


def collections(page: Page) -> None:
    kept(page)
    page.locator("#collections-open").click()


def collect(page: Page) -> None:
    kept(page)
    selected(page)
    page.locator("#selection-collect").click()


def collection(page: Page) -> None:
    kept(page)
    home = page.url.partition("#")[0]
    form = {"text": "boat", "k": "9"}
    hits = page.request.post(f"{home}api/search", multipart=form, headers={"Origin": home.rstrip("/")}).json()["hits"]
    photos = [{key: value for key, value in hit.items() if key not in ("score", "relevance", "weak")} for hit in hits]
    page.route("**/api/collections/photos*", lambda route: route.fulfill(json={"photos": photos, "more": False}))
    page.locator("#collections-open").click()
    page.locator("#collections-list").get_by_text("By the sea").click()
    settled(page)
    page.locator(".tile .select").nth(1).dispatch_event("click")


def saved(page: Page) -> None:
    kept(page)
    searches(page)


def places(page: Page) -> None:
    """Folders that no one has."""
    inside: dict[str, object] = {"photos": 48, "more": False, "suggestions": []}
    names = [f"me/Pictures/{name}" for name in ("2022", "2023", "2024", "Scans")]

    def answer(route: Route) -> None:
        if "folder=" in route.request.url:
            route.fulfill(json=inside | {"folder": "me/Pictures", "parent": "me", "folders": names})
        else:
            route.fulfill(json=inside | {"folder": None, "parent": None, "folders": ["me/Pictures"]})

    changed_status(
        page, adds_folders=True, failed=0, failures=[], folders=[{"folder": "Pictures", "path": "/me/Pictures"}]
    )
    page.route("**/api/places*", answer)
    page.locator("#gallery-open").click()
    page.locator("#add-folder").click()
    page.locator(".place").nth(3).wait_for()


def models(page: Page) -> None:
    gallery(page)
    page.locator("#models summary").click()
    page.locator("#models li").first.scroll_into_view_if_needed()


def choice(page: Page) -> None:
    """A picture that may be a drawing or a photo."""
    picture = Image.new("RGB", (120, 90), "white")
    picture.paste((90, 160, 60), (0, 0, 120, 50))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    page.locator("#files").set_input_files(
        {"name": "IMG_4711.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    )
    page.get_by_role("dialog", name="What is this picture?").wait_for()


def shortcuts(page: Page) -> None:
    page.locator("#help-open").click()


def gallery(page: Page) -> None:
    page.locator("#gallery-open").click()


def nothing(page: Page) -> None:
    umbrella(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Match of at least").fill("100")
    page.get_by_text("Nothing found").wait_for()


def changed_status(page: Page, **values: object) -> None:
    told = page.request.get("api/status").json() | values
    page.route("**/api/status", lambda route: route.fulfill(json=told))
    page.reload()


def no_photos(page: Page) -> None:
    changed_status(page, photos=0, files=0, folders=[])
    page.get_by_text("No photos yet").wait_for()


def indexing(page: Page) -> None:
    now = {
        "state": "indexing",
        "done": 1200,
        "total": 5400,
        "failed": 0,
        "photos_per_s": 41.3,
        "seconds": 29,
        "error": None,
    }
    changed_status(page, photos=0, indexing=now)
    page.locator("#first-words").wait_for()


def lost(page: Page) -> None:
    umbrella(page)
    page.route("**/api/**", lambda route: route.abort())
    page.locator("#flip").click()
    page.get_by_role("alert").wait_for()


STATES: list[Callable[[Page], None]] = [
    welcome,
    by_folder,
    umbrella,
    colours,
    colours_only,
    words,
    marked,
    large,
    explained,
    full_screen,
    full_screen_filters,
    selected,
    collect,
    collections,
    collection,
    searches,
    saved,
    choice,
    shortcuts,
    gallery,
    places,
    models,
    nothing,
    no_photos,
    indexing,
    lost,
]


def shoot(browser: Browser, url: str, state: Callable[[Page], None], scheme: str, size: dict[str, Any]) -> bytes:
    context = browser.new_context(**size, color_scheme=scheme, base_url=url, reduced_motion="reduce")
    page = context.new_page()
    page.goto(url)
    page.locator("#notice h3").wait_for()
    state(page)
    page.wait_for_timeout(200)
    picture = page.screenshot()
    context.close()
    return picture


def shoot_all(browser: Browser, url: str, folder: Path) -> None:
    """Every state, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, dict[str, Any]] = {"wide": WIDE, "tablet": TABLET, "phone": PHONE}
    for state, scheme, size in itertools.product(STATES, ("light", "dark"), sizes):
        name = f"{state.__name__}-{scheme}-{size}.png"
        (folder / name).write_bytes(shoot(browser, url, state, scheme, sizes[size]))


@contextmanager
def served(gallery: Path) -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of a server of its own for this gallery."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium to take pictures with: apt install chromium")
    command = [sys.executable, "-m", "sketchseek", "serve", "--gallery", str(gallery), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with sync_playwright() as playwright:
                yield playwright.chromium.launch(executable_path=chromium, args=FLAGS.split()), url
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gallery", type=Path, default=GALLERY)
    asked = parser.parse_args()
    with served(asked.gallery) as (browser, url):
        shoot_all(browser, url, asked.folder)


if __name__ == "__main__":
    main()
