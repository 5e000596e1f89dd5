"""Training pictures, prepared once: each passes through ``pictures.fit`` and is kept in a memory-mapped file.

The files lie in the user's cache folder and can be deleted at any time. Any change of a picture or of the preprocessing
makes another file; what has not been used for longest goes when the folder grows too large.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from sketchseek.caches import cache_folder
from sketchseek.methods.method import Modality
from sketchseek.parallel import ahead
from sketchseek.pictures import fit, load_photo, load_sketch
from sketchseek.pictures.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from sketchseek.training.errors import TrainingError
from sketchseek.training.progress import Progress

KEEP_BYTES = 64 << 30  # prepared pictures on disk, of all trainings together
SPARE_BYTES = 1 << 30  # of the disk, left to others
_VERSION = 1  # goes up when the same file and record would give other pixels

Pixels = NDArray[np.uint8]  # (n, side, side, 3)


def prepared_pixels(
    files: Sequence[Path], modality: Modality, record: Preprocessing, *, workers: int, progress: Progress
) -> Pixels:
    """The pictures of ``files``, in their order, prepared as ``record`` says; from the cache where they are in it."""
    folder = cache_folder() / "pixels"
    target = folder / f"{_key(files, modality, record)}.npy"
    if not target.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make_room(folder, target.name, len(files) * record.size**2 * 3)
            _build(target, files, modality, record, workers, progress)
        except OSError as error:
            raise TrainingError(
                f"prepared pictures cannot be written to {folder} ({error.strerror or error}): make room or a writable "
                "folder there, or name another in the environment variable SKETCHSEEK_CACHE"
            ) from error
    os.utime(target)
    pixels: Pixels = np.load(target, mmap_mode="r", allow_pickle=False)
    return pixels


def _key(files: Sequence[Path], modality: Modality, record: Preprocessing) -> str:
    # Mean and deviation come later, on the device: they are no part of the pixels.
    pixels_of = replace(record, mean=CLIP_MEAN, std=CLIP_STD)
    digest = hashlib.sha256(f"{_VERSION}\n{modality}\n{pixels_of.fingerprint}\n".encode())
    for file in files:
        try:
            facts = file.stat()
        except OSError as error:
            raise TrainingError(f"{file} cannot be read ({error.strerror}): mend it or take it away") from error
        digest.update(f"{file.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _build(
    target: Path,
    files: Sequence[Path],
    modality: Modality,
    record: Preprocessing,
    workers: int,
    progress: Progress,
) -> None:
    load: Callable[[Path], Any] = load_sketch if modality == "sketch" else lambda f: load_photo(f, target=record.size)

    def prepare(file: Path) -> NDArray[np.uint8]:
        return fit(load(file), record)

    half = target.with_name(f"{target.stem}.{os.getpid()}.part")
    try:
        pixels = open_memmap(half, mode="w+", dtype=np.uint8, shape=(len(files), record.size, record.size, 3))
        with progress.task("preparing sketches" if modality == "sketch" else "preparing photos", len(files)) as done:
            for row, picture in enumerate(ahead(prepare, files, workers=workers, depth=4 * workers)):
                pixels[row] = picture
                done(1)
        pixels.flush()
        del pixels
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def _make_room(folder: Path, keep: str, needed: int) -> None:
    """Delete what was used longest ago until the cache and the disk have room; refuse where that is not enough."""
    others = sorted((file for file in folder.glob("*.npy") if file.name != keep), key=lambda file: file.stat().st_mtime)
    used = sum(file.stat().st_size for file in others)
    while others and (used + needed > KEEP_BYTES or shutil.disk_usage(folder).free < needed + SPARE_BYTES):
        oldest = others.pop(0)
        used -= oldest.stat().st_size
        oldest.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise TrainingError(
            f"prepared pictures need {needed / 1e9:.1f} GB below {folder}, and {free / 1e9:.1f} GB are free: make "
            "room, or name a folder on another disk in the environment variable SKETCHSEEK_CACHE"
        )
