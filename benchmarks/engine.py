"""The encoder alone: pictures a second of each model, and a drawing's way to its vector.

    python benchmarks/engine.py [--threads 2] [--repeats 5] [--models default lite vit-b-32]

Pictures are prepared beforehand, so that nothing but the graph is timed; rounds go over all models and batch sizes in
turn, so that other work on the machine hits them alike. A model that is no model folder is exported first (fp32);
`vit-b-32` has that backbone's shape and random weights.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from stand_ins import write_vit_b_32

from sketchseek.engine import Encoder, find_model, load
from sketchseek.engine.folder import read_file
from sketchseek.engine.sample_inputs import sample_pictures
from sketchseek.engine.sessions import OrtSession
from sketchseek.export import export
from sketchseek.pictures import load_sketch

BATCHES = (1, 4, 8, 16, 32)
DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" fill="none" stroke="black" stroke-width="2">
<path d="M10 50 C 30 10 70 10 90 50 C 70 90 30 90 10 50 M 20 45 L 5 30 L 5 70 L 20 55"/><circle cx="70" cy="42" r="4"/>
</svg>"""
STROKES = json.dumps(  # six waves, as a page or QuickDraw sends them
    {"drawing": [[[x * 8 for x in range(30)], [row * 40 + x % 7 * 5 for x in range(30)]] for row in range(6)]}
).encode()


def opened(name: str, scratch: Path) -> Encoder:
    """A model by name or path, exported where it is no model folder."""
    if folder := find_model(name):
        return load(folder)
    source = str(write_vit_b_32(scratch / "vit-b-32 weights")) if name == "vit-b-32" else name
    return export(source, scratch / name.replace("/", "-"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures a second of each model.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["vit-b-32", "lite", "default"])
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        models = {name: opened(name, Path(scratch)) for name in options.models}
        wall, busy = throughput(models, options.threads, options.repeats)
        first = options.models[0]
        best = {name: max((wall[name, size], size) for size in BATCHES)[1] for name in models}
        print(f"\nPictures a second, {options.threads} threads, the graph alone (best of {options.repeats} rounds)\n")
        print("| model | " + " | ".join(f"batch {size}" for size in BATCHES) + f" | against {first} | a CPU second |")
        print("|---|" + "--:|" * (len(BATCHES) + 2))
        for name in models:
            row = [f"{wall[name, size]:.1f}" for size in BATCHES]
            ratio = busy[name, best[name]] / busy[first, best[first]]
            print(f"| {name} | {' | '.join(row)} | {ratio:.1f}x | {busy[name, best[name]]:.1f} |")

        print(
            "\nA drawing to its vector, one thread, ms\n\n"
            "| model | drawing | p50 | best | CPU of this process |\n|---|---|--:|--:|--:|"
        )
        for name, model in models.items():
            single = load(model.folder, threads=1)
            for kind, drawing in (("strokes", STROKES), ("SVG", DRAWING)):
                times, busy_ms = latency(single, drawing, 10 * options.repeats)
                print(f"| {name} | {kind} | {statistics.median(times):.1f} | {min(times):.1f} | {busy_ms:.1f} |")


def throughput(
    models: dict[str, Encoder], threads: int, repeats: int
) -> tuple[dict[tuple[str, int], float], dict[tuple[str, int], float]]:
    """(model, batch size) -> pictures a second of the clock, and of the processor."""
    pixels = sample_pictures(max(BATCHES), 224)
    wall: dict[tuple[str, int], float] = defaultdict(float)
    busy: dict[tuple[str, int], float] = defaultdict(float)
    sessions = {}
    for name, model in models.items():
        file = model.record.graphs["photo"]
        graph = read_file(model.folder, file, model.record)
        sessions[name] = OrtSession(graph, model.provider, threads, model.weights_of(file))
    for session in sessions.values():
        session({"pixels": pixels[:1]}, ["vectors"])
    for _ in range(repeats):
        for name, session in sessions.items():
            for size in BATCHES:
                batches = [np.ascontiguousarray(pixels[at : at + size]) for at in range(0, len(pixels), size)]
                clock, processor = time.perf_counter(), time.process_time()
                for batch in batches:
                    session({"pixels": batch}, ["vectors"])
                wall[name, size] = max(wall[name, size], len(pixels) / (time.perf_counter() - clock))
                busy[name, size] = max(busy[name, size], len(pixels) / (time.process_time() - processor))
    return wall, busy


def latency(model: Encoder, drawing: bytes, repeats: int) -> tuple[list[float], float]:
    """Milliseconds of the clock of every repeat, and of this process's processor time on average.

    A model that is not ours computes in a process of its own, whose time is not included.
    """
    model.encode_sketches([load_sketch(drawing)])
    times = []
    processor = time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        model.encode_sketches([load_sketch(drawing)])
        times.append(1000 * (time.perf_counter() - start))
    return times, 1000 * (time.process_time() - processor) / repeats


if __name__ == "__main__":
    main()
