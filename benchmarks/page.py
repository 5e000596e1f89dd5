"""From the end of a stroke to photos on the page, in a real browser.

    python benchmarks/page.py [--photos 10000] [--strokes 40] [--model default]

The gallery holds made pictures of 480 x 320 px under made vectors near those of such strokes, so that all are relevant
enough to be shown; queries go through the model as usual. `sketchseek
serve` runs in a process of its own, Chromium draws with the mouse. Painted: pointer up to the frame that shows the
answer to the question asked then. Thumbnails: until those in sight are decoded too; each is made from its photo the
first time. Both processes share the machine's cores.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from stand_ins import photo_like

from sketchseek.engine.models import load_search_model
from sketchseek.gallery import Gallery
from sketchseek.model import Model
from sketchseek.pictures import sketch_from_strokes

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
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
        Image.fromarray(pixels).save(stream, "JPEG", quality=85)
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


def measure(url: str, strokes: int) -> NDArray[np.float64]:
    """(strokes, columns) in ms; the first three strokes warm everything up and do not count."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium to measure with: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.evaluate(WATCH)
        for number in range(strokes + 3):
            if number % 4 == 3:
                page.locator("#clear").click()
            draw(page, number)
            page.wait_for_timeout(700)
        measured = np.array(page.evaluate("window.measured"))
        browser.close()
    if len(measured) < strokes + 3:
        sys.exit(f"only {len(measured)} of {strokes + 3} strokes were answered within 0.7 s: is the machine busy?")
    return measured[3:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--strokes", type=int, default=40)
    parser.add_argument("--model", default="default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gallery = make_gallery(Path(folder), asked.photos, asked.model)
        command = [
            sys.executable,
            "-m",
            "sketchseek",
            "serve",
            "--gallery",
            str(gallery),
            "--port",
            "0",
            "--no-browser",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            measured = measure(server.stdout.readline().strip(), asked.strokes)
            server.terminate()
    print(f"{asked.photos} photos, {asked.model}, {len(measured)} strokes; ms from pointer up, p50 and p95")
    for name, column in zip(COLUMNS, measured.T, strict=True):
        print(f"{name:<20} {np.percentile(column, 50):7.0f} {np.percentile(column, 95):7.0f}")


if __name__ == "__main__":
    main()
