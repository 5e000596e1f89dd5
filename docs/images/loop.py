"""Makes the moving picture at the top of the README, where photos follow a drawing, and the guide's explained photo.

apt-get download gcompris-qt-data && dpkg-deb -x gcompris-qt-data_*.deb build/gcompris
python docs/images/loop.py build/gcompris

The photos are openly licensed; the authors of those in the pictures are written beside them, into credits.md.
"""

import argparse
import io
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from licensed_photos import Licence, extract
from make import HERE, WIDE, explain, served, settled, shoot
from PIL import Image
from playwright.sync_api import Browser, Page

from sketchseek.gallery import Gallery

SIZE = (960, 600)
MAX_BYTES = 1_000_000
STEP_MS, STROKE_MS, END_MS = 60, 500, 2600
Points = Sequence[tuple[float, float]]


def curve(*corners: tuple[float, float], steps: int = 14) -> Points:
    """A quadratic curve through the first and the last of three corners; or the corners themselves, if not three."""
    if len(corners) != 3:
        return corners
    (x0, y0), (x1, y1), (x2, y2) = corners
    shares = [step / steps for step in range(steps + 1)]
    return [
        ((1 - t) ** 2 * x0 + 2 * t * (1 - t) * x1 + t**2 * x2, (1 - t) ** 2 * y0 + 2 * t * (1 - t) * y1 + t**2 * y2)
        for t in shares
    ]


def circle(x: float, y: float, radius: float) -> Points:
    angles = [2 * math.pi * step / 12 for step in range(13)]
    return [(x + radius * math.cos(angle), y + 1.25 * radius * math.sin(angle)) for angle in angles]


# Strokes as fractions of the sheet.
FISH = [
    curve((0.88, 0.48), (0.55, 0.08), (0.28, 0.5)),
    curve((0.88, 0.48), (0.55, 0.9), (0.28, 0.5)),
    [(0.28, 0.5), (0.12, 0.3), (0.14, 0.5), (0.12, 0.7), (0.28, 0.5)],
    circle(0.74, 0.42, 0.018),
    curve((0.62, 0.36), (0.56, 0.48), (0.62, 0.62)),
]
WINDMILL = [
    [(0.42, 0.46), (0.34, 0.93), (0.66, 0.93), (0.58, 0.46)],
    curve((0.4, 0.47), (0.5, 0.26), (0.6, 0.47)),
    [(0.145, 0.342), (0.5, 0.42), (0.855, 0.498)],
    [(0.556, 0.026), (0.5, 0.42), (0.444, 0.814)],
    [(0.46, 0.93), (0.46, 0.8), (0.54, 0.8), (0.54, 0.93)],
]


class Film:
    """Frames of the page with their times, and the photos that were in sight."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[tuple[Image.Image, int]] = []
        self.photos: set[str] = set()

    def shoot(self, ms: int) -> None:
        self.frames.append((Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"), ms))
        names = self.page.locator(".tile .name, .cell .open")
        shown = """(all) => all.filter((one) => one.closest("li")?.getBoundingClientRect().top < innerHeight)
          .map((one) => one.title || one.textContent)"""
        self.photos |= set(names.evaluate_all(shown))

    def draw(self, strokes: Sequence[Points]) -> None:
        box = self.page.locator("#sheet").bounding_box()
        assert box is not None
        for stroke in strokes:
            places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for number, place in enumerate(places[1:]):
                self.page.mouse.move(*place, steps=4)
                if number % 3 == 2:
                    self.shoot(STEP_MS)
            self.page.mouse.up()
            self.page.wait_for_load_state("networkidle")
            self.page.wait_for_timeout(500)
            self.shoot(STROKE_MS)

    def save(self, path: Path) -> None:
        (first, *rest), times = [frame for frame, _ in self.frames], [ms for _, ms in self.frames]
        first.save(path, save_all=True, append_images=rest, duration=times, loop=0, quality=52, method=4)


def film(page: Page) -> Film:
    made = Film(page)
    page.locator(".cell.loaded").first.wait_for()
    for strokes in (FISH, WINDMILL):
        page.locator("#clear").dispatch_event("click")
        page.mouse.move(5, 5)
        page.wait_for_timeout(600)
        made.shoot(STROKE_MS)
        made.draw(strokes)
        page.mouse.move(5, 5)
        made.shoot(END_MS)
    return made


def credits(licences: Mapping[str, Licence]) -> str:
    rows = [f"| {name} | {one.author} | {one.name} | {one.source} |" for name, one in sorted(licences.items())]
    head = (
        "# Photos in loop.webp and explain.webp\n\n"
        "From Debian's package gcompris-qt-data. The pictures are CC BY-SA 4.0.\n"
    )
    return "\n".join([head, "| photo | author | licence | source |", "|---|---|---|---|", *rows, ""])


def explanation(browser: Browser, url: str) -> tuple[Image.Image, str]:
    """The large view of the first photo for the fish, with its explanation; and the photo's name."""
    names: list[str] = []

    def explained_fish(page: Page) -> None:
        Film(page).draw(FISH)
        first = settled(page).locator(".tile").first
        names.append(first.locator(".name").text_content() or "")
        first.locator(".open").click()
        explain(page)

    return Image.open(io.BytesIO(shoot(browser, url, explained_fish, "dark", WIDE))), names[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked package")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        licences = extract(asked.package, Path(folder) / "Photos")
        with Gallery.open(Path(folder) / "gallery") as gallery:
            gallery.add(Path(folder) / "Photos")
        with served(Path(folder) / "gallery") as (browser, url):
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
            page.goto(url)
            made = film(page)
            picture, photo = explanation(browser, url)
    made.save(HERE / "loop.webp")
    picture.save(HERE / "explain.webp", quality=82, method=6)
    names = sorted({*made.photos, photo})
    (HERE / "credits.md").write_text(credits({name: licences[name] for name in names}), encoding="utf-8")
    size = (HERE / "loop.webp").stat().st_size
    print(f"{len(made.frames)} frames, {size:,} bytes, {len(made.photos)} photos of {len(licences)}")
    if size > MAX_BYTES:
        raise SystemExit(f"loop.webp is larger than {MAX_BYTES:,} bytes")


if __name__ == "__main__":
    main()
