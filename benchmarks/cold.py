"""Where the time of a cold ``sketchseek search`` from the shell goes.

    python benchmarks/cold.py [--photos 1000] [--rounds 9] [--model default]

Photos of random patches are indexed with the model, then the command is run in fresh processes with a drawing. Wall
and CPU times (all threads) are medians over the rounds; the files are in the system's cache. The drawing is an SVG,
which is drawn by a process of its own: that one's CPU time is not counted, its wall time is.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from sketchseek.gallery import Gallery

DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" fill="none" stroke="black" stroke-width="4">'
    '<path d="M28 101 C52 62 104 55 142 96 C108 143 55 140 28 101 Z M141 97 L176 66 L178 131 Z"/></svg>'
)

# Run in the fresh process: the command itself, with a clock at its joints. The last line of stderr is the result.
CHILD = """
import sys, time
began = float(sys.argv.pop(1))
marks = {"python starts": [time.time() - began, time.process_time()]}

def timed(name, work):
    def call(*args, **more):
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return work(*args, **more)
        finally:
            spent = marks.setdefault(name, [0, 0])
            spent[0] += time.perf_counter() - wall
            spent[1] += time.process_time() - cpu
    return call

def imports():
    import sketchseek.cli.search
    import sketchseek.gallery.embedded.gallery
    import sketchseek.gallery.embedded.index_files
    import sketchseek.pictures
    import sketchseek.engine
    import onnxruntime

timed("imports", imports)()
import sketchseek.engine.encoder, sketchseek.loading, sketchseek.pictures
from sketchseek.gallery.embedded import gallery, index_files
from sketchseek.cli import main

encoder = sketchseek.engine.encoder.Encoder
sketchseek.engine.models.load_search_model = timed("model: its record", sketchseek.engine.models.load_search_model)
encoder._session = timed("model: its graph, and the self-test", encoder._session)
encoder.encode_sketches = timed("encoding the drawing, graph included", encoder.encode_sketches)
sketchseek.pictures.load_sketch = timed("reading the drawing", sketchseek.pictures.load_sketch)
index_files.load_or_build = timed("index", index_files.load_or_build)
gallery.rank = timed("scan, scores, files", gallery.rank)
gallery.Catalogue = timed("opening the gallery", gallery.Catalogue)
try:
    main(sys.argv[1:])
finally:
    import json
    marks["all"] = [time.time() - began, time.process_time()]
    sys.stderr.write(json.dumps(marks))
"""


def make(folder: Path, count: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(count):
        patches = rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(32, 0).repeat(32, 1)
        Image.fromarray(patches).save(folder / f"{number:05}.png")


def stages(command: list[str], rounds: int) -> dict[str, tuple[float, float]]:
    """Stage -> medians of (wall ms, CPU ms), parts taken out of what holds them."""
    runs = []
    for _ in range(rounds):
        call = [sys.executable, "-c", CHILD, str(time.time()), *command]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stderr.splitlines()[-1]))
    found = {
        name: tuple(1e3 * statistics.median(run[name][kind] for run in runs) for kind in (0, 1)) for name in runs[0]
    }
    graph, encoding = found["model: its graph, and the self-test"], found.pop("encoding the drawing, graph included")
    found["encoding the drawing"] = (encoding[0] - graph[0], encoding[1] - graph[1])
    whole = found.pop("all")
    rest = [whole[kind] - sum(times[kind] for times in found.values()) for kind in (0, 1)]
    found["the rest: command line, other SQL, printing"] = (rest[0], rest[1])
    found["all"] = whole
    return {name: (times[0], times[1]) for name, times in found.items()}


def imported(command: list[str]) -> tuple[Counter[str], int]:
    """(package -> ms of its own modules' imports, how many modules), as Python's own clock says."""
    call = [sys.executable, "-X", "importtime", "-m", "sketchseek", *command]
    lines = subprocess.run(call, capture_output=True, text=True, check=True).stderr.splitlines()
    found: Counter[str] = Counter()
    rows = [match for line in lines if (match := re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s*([\w.]+)", line))]
    for row in rows:
        package = row[2].partition(".")[0]
        standard = package in sys.stdlib_module_names or package.startswith("_")
        found["Python's own library" if standard else package] += int(row[1])
    return Counter({package: round(spent / 1e3) for package, spent in found.items()}), len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        make(place / "photos", options.photos)
        with Gallery.open(place / "gallery", options.model) as gallery:
            gallery.add(place / "photos")
        drawing = place / "drawing.svg"
        drawing.write_text(DRAWING)
        command = ["search", str(drawing), "--gallery", str(place / "gallery"), "-k", "10", "--min-score", "-1"]
        print(f"{options.photos:,} photos, model {options.model}\n\n| stage | wall ms | CPU ms |\n|---|--:|--:|")
        for stage, (wall, cpu) in stages(command, options.rounds).items():
            print(f"| {stage} | {wall:.0f} | {cpu:.0f} |")
        packages, modules = imported(command)
        print(f"\nImports (`python -X importtime`), {modules} modules:\n\n| package | ms |\n|---|--:|")
        for package, spent in packages.most_common(10):
            print(f"| {package} | {spent} |")


if __name__ == "__main__":
    main()
