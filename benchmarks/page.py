"""From the end of a stroke to photos on the page, the timeline, and the memory of the tab, in a real browser.

    python benchmarks/page.py [--photos 10000 100000] [--strokes 40] [--model default]

The gallery holds made pictures of 480 x 320 px, a few a day, under made vectors near those of such strokes, so that all
are relevant enough to be shown; queries go through the model as usual. `sketchseek serve` runs in a process of its own,
Chromium draws with the mouse. Painted: pointer up to the frame that shows the answer to the question of that stroke.
Thumbnails: until those in sight are decoded too; each is made from its photo the first time. A jump in the timeline
ends when all photos in sight have their place, name and picture's address. Both processes share the machine's cores.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from stand_ins import photo_like

from sketchseek.engine.models import load_search_model
from sketchseek.gallery import Gallery
from sketchseek.model import Model
from sketchseek.pictures import sketch_from_strokes

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync "
    "--enable-precise-memory-info"
)
BASES = 64

# In the page: for every pointer up, when the answer to what was asked then was painted and its pictures decoded.
WATCH = """() => {
  window.measured = [];
  performance.setResourceTimingBufferSize(100000); // thumbnails fill the usual 250 entries before the first answer
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel(); // its message comes after the frame is painted
    port1.onmessage = done;
    port2.postMessage(null);
  }));
  addEventListener("pointerup", (event) => {
    if (event.target.id !== "sheet") return;
    const up = performance.now();
    const watch = new MutationObserver(async () => {
      const asked = performance.getEntriesByType("resource").findLast((entry) => entry.name.endsWith("/api/search"));
      if (!asked || asked.startTime < up) return; // an answer to what was asked while the stroke grew
      watch.disconnect();
      await painted();
      const shown = performance.now();
      const below = (image) => image.getBoundingClientRect().top >= innerHeight;
      const inSight = [...document.querySelectorAll(".tile img")].filter((image) => !below(image));
      await Promise.all(inSight.map((image) => image.decode().catch(() => {})));
      const server = asked.serverTiming.find((part) => part.name === "total")?.duration ?? 0;
      window.measured.push([shown - up, performance.now() - up, asked.responseEnd - asked.startTime, server]);
      performance.clearResourceTimings();
    });
    watch.observe(document.getElementById("grid"), { childList: true, subtree: true });
  }, true);
}"""
COLUMNS = ("painted", "thumbnails decoded", "of it the request", "in the server")
# Jump to a share of the timeline: ms until every place in sight has its photo.
JUMP = """async (share) => {
  const begun = performance.now();
  scrollTo(0, share * (document.documentElement.scrollHeight - innerHeight));
  const inSight = (cell) => {
    const { top, bottom } = cell.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  for (let i = 0; i < 2000; i++) {
    await new Promise(requestAnimationFrame);
    const cells = [...document.querySelectorAll(".cell")].filter(inSight);
    if (cells.length && cells.every((cell) => cell.firstChild)) return performance.now() - begun;
  }
  return NaN;
}"""
# Scroll like a wheel for some seconds: ms between frames.
SCROLL = """async (seconds) => {
  const gaps = [];
  let last = performance.now();
  const end = last + 1000 * seconds;
  while (last < end) {
    scrollBy(0, 60);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return gaps.slice(2);
}"""
JUMPS = 30
SCROLL_S = 4


class MadeVectors:
    """A model's place in a gallery, with vectors around those of drawings instead of pictures' own."""

    def __init__(self, model: Model) -> None:
        self.name, self.identity, self.size, self.photo_side = model.name, model.identity, model.size, model.photo_side
        self._draw = np.random.default_rng(0)
        drawings = [sketch_from_strokes([(100 * wobble(seed)).T.tolist()]) for seed in range(8)]
        self._centre = model.encode_sketches(drawings).mean(axis=0)

    def encode_photos(self, photos: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        noise = self._draw.normal(0, 0.3 / self.size**0.5, (len(photos), self.size))
        vectors = (self._centre + noise).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    encode_sketches = encode_texts = None  # never asked


def make_gallery(folder: Path, photos: int, model: str) -> Path:
    bases = [photo_like(seed, 480, 320) for seed in range(BASES)]
    (folder / "photos").mkdir()
    for number in range(photos):
        pixels = np.roll(bases[number % BASES], 7 * (number // BASES), axis=1)
        stream = io.BytesIO()
        exif = Image.Exif()
        exif.get_ifd(0x8769)[36867] = f"{datetime(2010, 1, 1) + number * timedelta(hours=5):%Y:%m:%d %H:%M:%S}"
        Image.fromarray(pixels).save(stream, "JPEG", quality=85, exif=exif)
        (folder / "photos" / f"{number:05}.jpg").write_bytes(stream.getvalue())
    with Gallery.open(folder / "gallery", MadeVectors(load_search_model(model))) as gallery:  # type: ignore[arg-type]
        gallery.add(folder / "photos")
    return folder / "gallery"


def wobble(seed: int) -> NDArray[np.float64]:
    """24 points of a random walk across a sheet of side 1."""
    walk = np.random.default_rng(seed).normal(0, 0.06, (24, 2)).cumsum(axis=0)
    return np.asarray((0.5 + walk - walk.mean(axis=0)).clip(0.03, 0.97))


def draw(page: Page, seed: int) -> None:
    """One wobbly stroke across the sheet, half a second long."""
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    places = wobble(seed)
    page.mouse.move(box["x"] + places[0][0] * box["width"], box["y"] + places[0][1] * box["height"])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(16)
    page.mouse.up()


class Measured(NamedTuple):
    """``strokes``: (strokes, columns) in ms. ``heap``, ``resident``: MB of the tab's objects, and of its process."""

    strokes: NDArray[np.float64]
    first_paint: float
    first_photo: float
    jumps: list[float]
    frames: list[float]
    heap: float
    resident: float


def resident_mb(browser: Browser) -> float:
    """Memory of the browser's processes that render pages."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    total = 0
    for process in processes:
        if process["type"] == "renderer":
            status = Path(f"/proc/{process['id']}/status").read_text()
            total += int(status.split("VmRSS:")[1].split()[0])
    return total / 1024


def measure(url: str, strokes: int) -> Measured:
    """The first three strokes warm everything up and do not count."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium to measure with: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.locator(".cell.loaded").first.wait_for()
        first_photo = page.evaluate("performance.now()")
        first_paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        shares = np.random.default_rng(0).random(JUMPS).tolist()
        jumps = [page.evaluate(JUMP, share) for share in shares]
        page.evaluate("scrollTo(0, 0)")
        frames = page.evaluate(SCROLL, SCROLL_S)
        page.evaluate("scrollTo(0, 0)")
        page.evaluate(WATCH)
        for number in range(strokes + 3):
            if number % 4 == 3:
                page.locator("#clear").click()
            draw(page, number)
            page.wait_for_timeout(700)
        measured = np.array(page.evaluate("window.measured"))
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
        resident = resident_mb(browser)
        browser.close()
    if len(measured) < strokes + 3:
        sys.exit(f"only {len(measured)} of {strokes + 3} strokes were answered within 0.7 s: is the machine busy?")
    return Measured(measured[3:], first_paint, first_photo, jumps, frames, heap, resident)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[10_000])
    parser.add_argument("--strokes", type=int, default=40)
    parser.add_argument("--model", default="default")
    asked = parser.parse_args()
    for photos in asked.photos:
        report(photos, asked.strokes, asked.model)


def report(photos: int, strokes: int, model: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        gallery = make_gallery(Path(folder), photos, model)
        serve = ["serve", "--gallery", str(gallery), "--port", "0", "--no-browser"]
        command = [sys.executable, "-m", "sketchseek", *serve]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            measured = measure(server.stdout.readline().strip(), strokes)
            server.terminate()
    print(f"{photos} photos, {model}, {len(measured.strokes)} strokes; ms from pointer up, p50 and p95")
    for name, column in zip(COLUMNS, measured.strokes.T, strict=True):
        print_row(name, column)
    print(f"first paint {measured.first_paint:.0f} ms, first photo of the timeline {measured.first_photo:.0f} ms")
    print_row("jump in the timeline", measured.jumps)
    print_row("frame while scrolling", measured.frames)
    print(
        f"memory of the tab: {measured.heap:.0f} MB of objects, {measured.resident:.0f} MB of its process", flush=True
    )


def print_row(name: str, values: "NDArray[np.float64] | list[float]") -> None:
    print(f"{name:<22} {np.percentile(values, 50):7.0f} {np.percentile(values, 95):7.0f}")


if __name__ == "__main__":
    main()
