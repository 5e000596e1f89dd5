"""Refuse a wheel that lacks a file it needs or holds one it should not: python tools/check_wheel.py WHEEL."""

import sys
import zipfile

LIMIT = 40_000_000  # bytes; the models that ship are most of it
NEEDED = (
    "sketchseek/models/default/photo.onnx",
    "sketchseek/models/default/config.json",
    "sketchseek/models/default/README.md",
    "sketchseek/models/lite/model.safetensors",
    "sketchseek/models/lite/README.md",
    "sketchseek/server/page/index.html",
    "sketchseek/evaluation/papers.toml",
    "sketchseek/py.typed",
)


def faults(path: str) -> list[str]:
    """What is wrong with a wheel, in sentences."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        found = [f"{name} is missing" for name in NEEDED if name not in names]
        for name in names:
            outside = not name.startswith("sketchseek/") and ".dist-info/" not in name
            if outside or "/tests/" in name or name.endswith((".pyc", ".pt", ".pth", ".bin", ".pkl")):
                found.append(f"{name} does not belong there")
        size = sum(entry.compress_size for entry in wheel.infolist())
    return found + ([f"{size:,} bytes are over the limit of {LIMIT:,}"] if size > LIMIT else [])


if __name__ == "__main__":
    wrong = faults(sys.argv[1])
    print(*wrong, sep="\n", file=sys.stderr)
    sys.exit(1 if wrong else 0)
