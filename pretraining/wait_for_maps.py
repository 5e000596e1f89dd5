"""Return when enough early maps are there to train on, or fail with ``early.py``: CACHE PROCESS."""

import os
import sys
import time
from pathlib import Path

import numpy as np

ENOUGH = 20_000


def main() -> None:
    ready, process = Path(sys.argv[1]) / "ready.npy", int(sys.argv[2])
    while not ready.exists() or np.load(ready, mmap_mode="r").sum() < ENOUGH:
        os.kill(process, 0)  # raises once it is gone
        time.sleep(2)


if __name__ == "__main__":
    main()
