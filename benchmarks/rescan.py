"""Looking again at 100,000 unchanged files, beside os.scandir alone.

    python benchmarks/rescan.py [--files 100000] [--rounds 3]

"os.scandir" only lists the folders; "with stat" also asks for each file's size and time, without which no change could
be seen. The best of the rounds counts; the folder lies in the system's temporary folder, and is in the system's cache.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.colours import BYTES
from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded.writer import Writer

SIZE = 512
PER_FOLDER = 500


class Unused:
    """A model that is never asked: nothing has changed."""

    name = identity = "unused"
    size, photo_side = SIZE, 224

    def encode_photos(self, photos: Sequence[Any]) -> Any:
        raise AssertionError("an unchanged photo was opened")

    encode_sketches = encode_texts = encode_photos


def make(folder: Path, count: int) -> None:
    for number in range(count):
        if number % PER_FOLDER == 0:
            (folder / f"{number // PER_FOLDER:04}").mkdir()
        (folder / f"{number // PER_FOLDER:04}" / f"IMG_{number:06}.jpg").write_bytes(b"x")


def record(gallery: Path, folder: Path) -> None:
    """What indexing would have written."""
    catalogue = Writer(gallery)
    vector = np.full(SIZE, SIZE**-0.5, np.float32)
    with catalogue.batch():
        model = catalogue.add_model("unused", "unused", "unused", SIZE)
        catalogue.use_model(model.row)
        for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
            status = path.stat()
            content = catalogue.add_content(number.to_bytes(8, "big") + bytes(24), 4000, 3000, None)
            catalogue.add_vector(model.row, content, vector)
            catalogue.add_facts(content, None, bytes(BYTES))
            catalogue.set_file(os.fsencode(path), status.st_size, status.st_mtime_ns, content, None)
    catalogue.close()


def listed(folder: bytes, *, with_stat: bool) -> int:
    count, waiting = 0, [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    count += 1
                    if with_stat:
                        entry.stat()
    return count


def best(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of the quickest round."""
    found = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photos"
        folder.mkdir()
        make(folder, options.files)
        record(Path(temporary) / "gallery", folder)
        gallery = Gallery.open(Path(temporary) / "gallery", Unused())
        report = gallery.add(folder)
        assert (report.unchanged, report.added, report.failed) == (options.files, 0, [])
        place = os.fsencode(folder)
        rows = {
            "os.scandir": best(lambda: listed(place, with_stat=False), options.rounds),
            "os.scandir with stat": best(lambda: listed(place, with_stat=True), options.rounds),
            "sketchseek index, nothing changed": best(lambda: gallery.add(folder), options.rounds),
        }
    floor = rows["os.scandir with stat"][1]
    print(f"{options.files:,} files in folders of {PER_FOLDER}\n")
    print("| what | wall s | CPU s | files/s | CPU / scandir with stat |\n|---|--:|--:|--:|--:|")
    for name, (wall, cpu) in rows.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {options.files / wall:,.0f} | {cpu / floor:.1f} |")


if __name__ == "__main__":
    main()
