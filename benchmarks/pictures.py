"""Opening photos for a model: a full decode and a resize, as everybody writes it, against ours, in one run.

    python benchmarks/pictures.py [--repeats 7]

The photos are made here: clouds of noise at every scale, which compress like photos of a camera (3 bits a pixel).
"""

import argparse
import io
import statistics
from collections.abc import Callable

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image
from stand_ins import photo_like, processor_seconds

from sketchseek.pictures import Preprocessing, fit, load_photo

RECORD = Preprocessing(size=224, fit="squash")


def naive(data: bytes) -> NDArray[np.uint8]:
    """Decode everything, then resize."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((RECORD.size, RECORD.size), Image.Resampling.BICUBIC))


def ours(data: bytes) -> NDArray[np.uint8]:
    """What indexing and training do."""
    return fit(load_photo(data, target=RECORD.size), RECORD)


def milliseconds(call: Callable[[bytes], object], data: bytes, repeats: int) -> float:
    """Median processor time of this process and of decoders in others: other work on the machine does not count."""
    times = []
    for _ in range(repeats):
        start = processor_seconds()
        call(data)
        times.append(processor_seconds() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Full decode and resize against ours.")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--megapixels", type=float, default=12)
    options = parser.parse_args()
    pillow_heif.register_heif_opener()  # for the full decode; ours has its own way
    width = round((options.megapixels * 1e6 * 4 / 3) ** 0.5)
    image, repeats = Image.fromarray(photo_like(0, width, width * 3 // 4)), options.repeats
    kinds = {
        "JPEG, quality 90": ("JPEG", {"quality": 90}),
        "JPEG, progressive": ("JPEG", {"quality": 90, "progressive": True}),
        "PNG": ("PNG", {"compress_level": 4}),
        "WebP, quality 85": ("WEBP", {"quality": 85, "method": 2}),
        "HEIC, quality 50": ("HEIF", {"quality": 50}),
    }
    print(f"| {options.megapixels:g} megapixels to 224 px | file | decode, resize | ours | ratio | mean difference |")
    print("|---|---|---|---|---|---|")
    for name, (kind, settings) in kinds.items():
        stream = io.BytesIO()
        image.save(stream, kind, **settings)
        data = stream.getvalue()
        slow, fast = milliseconds(naive, data, repeats), milliseconds(ours, data, repeats)
        difference = np.abs(naive(data).astype(int) - ours(data)).mean()
        times = f"{slow:.0f} ms | {fast:.0f} ms | {slow / fast:.1f}"
        print(f"| {name} | {len(data) / 1e6:.1f} MB | {times} | {difference:.2f} |", flush=True)


if __name__ == "__main__":
    main()
