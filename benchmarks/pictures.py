"""Opening photos for a model: a full decode and a resize, as everybody writes it, against ours, in one run.

    python benchmarks/pictures.py [--repeats 7]

The photos are made here: clouds of noise at every scale, which compress like photos of a camera (3 bits a pixel).
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.pictures import Preprocessing, fit, load_photo

SIZE = (4000, 3000)
RECORD = Preprocessing(size=224, fit="squash")


def naive(data: bytes) -> NDArray[np.uint8]:
    """Decode everything, then resize."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((RECORD.size, RECORD.size), Image.Resampling.BICUBIC))


def ours(data: bytes) -> NDArray[np.uint8]:
    """What indexing and training do."""
    return fit(load_photo(data, target=RECORD.size), RECORD)


def photo_like(seed: int) -> Image.Image:
    """Noise whose detail falls off as in photos, in colour."""
    draw = np.random.default_rng(seed)
    total = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for octave in range(9):
        shape = (max(2, SIZE[1] >> octave), max(2, SIZE[0] >> octave), 3)
        small = draw.normal(0, 4.5 * 1.45**octave, shape).astype(np.float32)
        scaled = [
            Image.fromarray(channel).resize(SIZE, Image.Resampling.BICUBIC) for channel in np.moveaxis(small, 2, 0)
        ]
        total += np.stack([np.asarray(channel) for channel in scaled], axis=2)
    return Image.fromarray((total + 128).clip(0, 255).astype(np.uint8))


def milliseconds(call: Callable[[bytes], object], data: bytes, repeats: int) -> float:
    """Median processor time of this process: other work on the machine does not count."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call(data)
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Full decode and resize against ours.")
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    image = photo_like(0)
    kinds = {
        "JPEG, quality 90": ("JPEG", {"quality": 90}),
        "JPEG, progressive": ("JPEG", {"quality": 90, "progressive": True}),
        "PNG": ("PNG", {"compress_level": 4}),
        "WebP, quality 85": ("WEBP", {"quality": 85, "method": 2}),
    }
    print("| 12 megapixels to 224 px | file | full decode + resize | ours | ratio | mean difference of 255 |")
    print("|---|---|---|---|---|---|")
    for name, (kind, options) in kinds.items():
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        data = stream.getvalue()
        slow, fast = milliseconds(naive, data, repeats), milliseconds(ours, data, repeats)
        difference = np.abs(naive(data).astype(int) - ours(data)).mean()
        times = f"{slow:.0f} ms | {fast:.0f} ms | {slow / fast:.1f}"
        print(f"| {name} | {len(data) / 1e6:.1f} MB | {times} | {difference:.2f} |", flush=True)


if __name__ == "__main__":
    main()
