"""Indexing a folder of camera JPEGs from end to end: sketchseek against transformers and Pillow, in one run.

    python benchmarks/indexing.py [--count 1000] [--megapixels 12] [--threads 2] [--skip-plain]

The plain pipeline is what everybody writes: open with Pillow, transformers' own processor and CLIPModel, batches of 32,
vectors to a file. Both encode with ViT-B/32 of random weights, of the same numbers. The floor is reading and decoding
alone, with the same threads. The photos are made here from a few pictures; every file is different by a comment in it,
so that none is known by its content. The disk's cache is warm for all.
"""

import argparse
import gc
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from stand_ins import photo_like, processor_seconds, write_vit_b_32

from sketchseek import Gallery
from sketchseek.engine import Encoder, load
from sketchseek.engine.models import find_model
from sketchseek.export import export
from sketchseek.gallery.reading import read_photo
from sketchseek.pictures import load_photo

DISTINCT = 4
BATCH = 32


def write_photos(folder: Path, count: int, megapixels: float) -> list[Path]:
    """JPEGs of 4:3 that differ in a comment; ``DISTINCT`` different pictures."""
    folder.mkdir()
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    coded = []
    for seed in range(min(DISTINCT, count)):
        held = io.BytesIO()
        Image.fromarray(photo_like(seed, height * 4 // 3, height)).save(held, "JPEG", quality=90)
        coded.append(held.getvalue())
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        comment = f"{number:08}".encode()
        data = coded[number % len(coded)]
        path.write_bytes(data[:2] + b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment + data[2:])
    return paths


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor, also of processes that the call starts and ends."""
    clock, processor = time.perf_counter(), processor_seconds()
    call()
    seconds = time.perf_counter() - clock
    gc.collect()  # a model that is not ours runs in a process of its own, which ends with it
    return seconds, processor_seconds() - processor


def plain(paths: list[Path], backbone: Path, threads: int, out: Path) -> None:
    """transformers and Pillow, as in their examples."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    torch.set_num_threads(threads)
    model: Any = CLIPVisionModelWithProjection.from_pretrained(backbone)  # in eval mode already
    processor = CLIPImageProcessorPil()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
            rows.append(torch.nn.functional.normalize(model(pixel_values=pixels).image_embeds, dim=1).numpy())
    np.save(out, np.concatenate(rows))


def floor(paths: list[Path], side: int, threads: int) -> None:
    """Reading, hashing and decoding alone, as indexing does it."""

    def read(path: Path) -> None:
        assert read_photo(bytes(path), side, lambda _: True).pixels is not None

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, paths))


def main() -> None:
    parser = argparse.ArgumentParser(description="Indexing end to end.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=["default", "lite", "vit-b-32"])
    parser.add_argument("--skip-plain", action="store_true", help="leave out transformers and Pillow")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        paths = write_photos(here / "photos", options.count, options.megapixels)
        models: dict[str, Path] = {}
        if "default" in options.models:
            shipped = find_model("default")
            assert shipped is not None
            models["default (int8)"] = shipped
        if "lite" in options.models:
            models["lite (fp32)"] = export("lite", here / "lite").folder
        compares = "vit-b-32" in options.models and not options.skip_plain
        if "vit-b-32" in options.models:
            backbone = write_vit_b_32(here / "weights")
            models["ViT-B/32 (fp32)"] = export(backbone, here / "vit-b-32").folder

        def index(model: Path) -> None:
            encoder = load(model, threads=options.threads)
            with Gallery.open(here / f"gallery of {model.name}", encoder) as gallery:
                report = gallery.add(here / "photos", threads=options.threads)
            assert report.added == options.count, report

        floor(paths[:BATCH], 224, options.threads)  # warms the disk's cache
        rows = {"reading and decoding alone": timed(lambda: floor(paths, 224, options.threads))}
        for name, model in models.items():
            rows[f"sketchseek index, {name}"] = timed(partial(index, model))
        if compares:
            rows["transformers and Pillow, ViT-B/32"] = timed(
                lambda: plain(paths, backbone, options.threads, here / "plain.npy")
            )
        size = paths[0].stat().st_size / 1e6
        what = f"{options.count:,} JPEGs of {options.megapixels:g} megapixels ({size:.1f} MB each)"
        print(f"\n{what}, {options.threads} threads\n")
        print("| what | s | photos/s | CPU ms a photo | times the floor |\n|---|--:|--:|--:|--:|")
        base = rows["reading and decoding alone"][0]
        for name, (clock, processor) in rows.items():
            rate, busy = options.count / clock, 1000 * processor / options.count
            print(f"| {name} | {clock:.1f} | {rate:.1f} | {busy:.1f} | {clock / base:.2f} |")
        if compares:
            slow, fast = rows["transformers and Pillow, ViT-B/32"], rows["sketchseek index, ViT-B/32 (fp32)"]
            print(f"\nViT-B/32: {slow[0] / fast[0]:.1f}x as fast as plain (CPU {slow[1] / fast[1]:.1f}x).")

        def encode_one(encoder: Encoder) -> None:
            encoder.encode_photos([load_photo(paths[0].read_bytes(), target=encoder.photo_side)])

        print("\nOne such file to its vector, median of 20:")
        for name, model in models.items():
            encoder = load(model, threads=options.threads)
            encode_one(encoder)
            singles = [timed(partial(encode_one, encoder))[0] for _ in range(20)]
            print(f"{name}: {1000 * float(np.median(singles)):.1f} ms")


if __name__ == "__main__":
    main()
