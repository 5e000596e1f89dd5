"""Memory at the peak of opening a picture, for each kind of file, against what its header is taken to need.

    python benchmarks/picture_memory.py [--side 6000]

Every picture is opened in a process of its own, with a target of 224 px, as indexing does. Linux only.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sketchseek.pictures.limits import MAX_PIXELS, PIXEL_BYTES, SPARE_MEMORY
from sketchseek.pictures.photo import memory_to_load

TARGET = 224


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def files(side: int) -> Iterator[tuple[str, bytes]]:
    """(what it is, a square file of it)."""
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    grey = Image.fromarray(((across ^ down) % 251).astype(np.uint8))
    rgb = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.ROTATE_90), grey))
    rgba = Image.merge("RGBA", (*rgb.split(), grey))
    palette, deep = rgb.quantize(16), Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    yield "JPEG", saved(rgb, "JPEG")
    yield "JPEG, progressive", saved(rgb, "JPEG", progressive=True)
    yield "JPEG, progressive, 4:4:4", saved(rgb, "JPEG", progressive=True, subsampling=0)
    yield "PNG", saved(rgb, "PNG", compress_level=1)
    yield "PNG, grey", saved(grey, "PNG", compress_level=1)
    yield "PNG, grey, 16 bits", saved(deep, "PNG", compress_level=1)
    yield "PNG, palette", saved(palette, "PNG", compress_level=1)
    yield "PNG, with transparency", saved(rgba, "PNG", compress_level=1)
    yield "PNG, with a transparent colour", saved(rgb, "PNG", compress_level=1, transparency=(1, 2, 3))
    yield "GIF", saved(palette, "GIF")
    yield "GIF, with a transparent colour", saved(palette, "GIF", transparency=0)
    yield "BMP", saved(rgb, "BMP")
    yield "TIFF", saved(rgb, "TIFF")
    yield "TIFF, LZW", saved(rgb, "TIFF", compression="tiff_lzw")
    yield "TIFF, LZW, in one strip", saved(rgb, "TIFF", compression="tiff_lzw", strip_size=3 * side * side)
    yield "TIFF, turned by EXIF", saved(rgb, "TIFF", tiffinfo={274: 6})
    yield "TIFF, floats", saved(Image.fromarray(np.asarray(grey, np.float32)), "TIFF")
    yield "WebP", saved(rgb, "WEBP", method=0)
    yield "AVIF", saved(rgb, "AVIF", speed=10)
    yield "AVIF, 4:4:4, with transparency", saved(rgba, "AVIF", speed=10, subsampling="4:4:4")


CHILD = """
import re, sys
from pathlib import Path
from sketchseek.pictures import load_photo
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
tiny, data = (Path(path).read_bytes() for path in sys.argv[1:])
load_photo(tiny, target=224)  # what a codec takes once is not the picture's
before = peak()
load_photo(data, target=224)
print(peak() - before)
"""


def opening(tiny: bytes, data: bytes) -> int:
    """Bytes that opening takes at its peak beside the file, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "tiny", Path(folder) / "data"]
        for path, content in zip(paths, (tiny, data), strict=True):
            path.write_bytes(content)
        return int(subprocess.run([sys.executable, "-c", CHILD, *paths], capture_output=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory of opening pictures.")
    parser.add_argument("--side", type=int, default=6000, help="px of the squares")
    side = parser.parse_args().side
    print(f"Pictures of {side} x {side} pixels\n")
    print("| kind | measured, bytes a pixel | estimated | limit, megapixels |\n|---|--:|--:|--:|")
    tiny = dict(files(64))
    for name, data in files(side):
        measured, estimated = (
            opening(tiny[name], data) / side**2,
            (memory_to_load(data, target=TARGET) - len(data)) / side**2,
        )
        limit = min(MAX_PIXELS, int((MAX_PIXELS * PIXEL_BYTES + SPARE_MEMORY) / estimated))
        print(f"| {name} | {measured:.1f} | {estimated:.1f} | {limit / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
