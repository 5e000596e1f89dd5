"""A lock with hashes -> the plain pins that ``pip install --constraint`` takes: tools/constraints.py LOCK."""

import sys
from pathlib import Path

HEAD = """# The exact versions this release was tested with: pip install --constraint constraints.txt ...
# torch is pinned: without the pin, pip takes the newest build with gigabytes of CUDA packages.
# Made from requirements.lock by `make lock`."""


def pins(lock: str) -> list[str]:
    """``name==version`` lines with their markers, without hashes."""
    lines = [line.rstrip(" \\") for line in lock.splitlines()]
    return [line for line in lines if line and not line.lstrip().startswith(("#", "--hash"))]


if __name__ == "__main__":
    print(HEAD, *pins(Path(sys.argv[1]).read_text(encoding="utf-8")), sep="\n")
