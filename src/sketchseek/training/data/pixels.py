"""Training pictures, prepared once by ``pictures.fit`` and kept in a memory-mapped file.

The files are in the user's cache folder and can be deleted at any time. Any change of a picture or of the preprocessing
makes another file; the least recently used are deleted when the folder grows too large.
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
from sketchseek.parallel import map_ahead
from sketchseek.pictures import fit, load_photo, load_sketch
from sketchseek.pictures.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from sketchseek.training.errors import TrainingError
from sketchseek.training.progress import Progress

KEEP_BYTES = 64 << 30  # limit of prepared pictures on disk, of all trainings together
SPARE_BYTES = 1 << 30  # free space to leave on the disk
_VERSION = 1  # raise it when the same file and record give other pixels

Pixels = NDArray[np.uint8]  # (n, side, side, 3)


def prepared_pixels(
    files: Sequence[Path], modality: Modality, record: Preprocessing, *, workers: int, progress: Progress
) -> Pixels:
    """The pictures of ``files``, in order, prepared as ``record`` says; read from the cache if they are in it."""
    folder = cache_folder() / "pixels"
    target = folder / f"{_key(files, modality, record)}.npy"
    if not target.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make_room(folder, target.name, len(files) * record.size**2 * 3)
            _build(target, files, modality, record, workers, progress)
        except OSError as error:
            raise TrainingError(
                f"prepared pictures cannot be written to {folder} ({error.strerror or error}): free disk space, make "
                "it writable, or set the environment variable SKETCHSEEK_CACHE to another folder"
            ) from error
    os.utime(target)
    pixels: Pixels = np.load(target, mmap_mode="r", allow_pickle=False)
    return pixels


def _key(files: Sequence[Path], modality: Modality, record: Preprocessing) -> str:
    # Mean and deviation are applied later, on the device: they do not affect the pixels.
    pixels_of = replace(record, mean=CLIP_MEAN, std=CLIP_STD)
    digest = hashlib.sha256(f"{_VERSION}\n{modality}\n{pixels_of.fingerprint}\n".encode())
    for file in files:
        try:
            facts = file.stat()
        except OSError as error:
            raise TrainingError(f"{file} cannot be read ({error.strerror}): fix or remove it") from error
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

    unfinished = target.with_name(f"{target.stem}.{os.getpid()}.part")
    try:
        shape = (len(files), record.size, record.size, 3)
        pixels = open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        with progress.task("preparing sketches" if modality == "sketch" else "preparing photos", len(files)) as done:
            for row, picture in enumerate(map_ahead(prepare, files, workers=workers, depth=4 * workers)):
                pixels[row] = picture
                done(1)
        pixels.flush()
        del pixels
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _make_room(folder: Path, keep: str, needed: int) -> None:
    """Delete the least recently used files until there is room; raise an error if that is not enough."""
    others = sorted((file for file in folder.glob("*.npy") if file.name != keep), key=lambda file: file.stat().st_mtime)
    used = sum(file.stat().st_size for file in others)
    while others and (used + needed > KEEP_BYTES or shutil.disk_usage(folder).free < needed + SPARE_BYTES):
        oldest = others.pop(0)
        used -= oldest.stat().st_size
        oldest.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise TrainingError(
            f"prepared pictures need {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free: free disk "
            "space, or set the environment variable SKETCHSEEK_CACHE to a folder on another disk"
        )
