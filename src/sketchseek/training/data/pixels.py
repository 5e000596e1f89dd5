"""Training pictures, prepared once by ``pictures.fit`` and kept as one small file for each picture.

The files are in the user's cache folder and can be deleted at any time: a picture that is missing is prepared again.
Any change of a picture or of the preprocessing makes another file; the least recently used are deleted when the folder
grows too large.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
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
_VERSION = 2  # raise it when the same file and record give other pixels

Rows = Sequence[int] | NDArray[np.integer[Any]]


class Pixels(Protocol):
    """Pictures by row, uint8: (side, side, 3) of one row, (n, side, side, 3) of several; an array is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class PreparedPictures:
    """``Pixels`` of picture files, read from the cache when they are needed."""

    files: Sequence[Path]
    kept: Sequence[Path]  # where the pixels of each file are
    modality: Modality
    record: Preprocessing

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> NDArray[np.uint8]:
        if isinstance(rows, int | np.integer):
            return self._read(int(rows))
        found = [self._read(int(row)) for row in rows]
        return np.stack(found) if found else np.empty((0, self.record.size, self.record.size, 3), np.uint8)

    def _read(self, row: int) -> NDArray[np.uint8]:
        shape = (self.record.size, self.record.size, 3)
        try:
            pixels = np.fromfile(self.kept[row], np.uint8)
        except FileNotFoundError:  # another training needed the room
            return self.prepare(row)
        return pixels.reshape(shape) if pixels.size == np.prod(shape) else self.prepare(row)

    def prepare(self, row: int) -> NDArray[np.uint8]:
        """Open the picture of a row, and keep its pixels."""
        file, target = self.files[row], self.kept[row]
        picture: Any = load_sketch(file) if self.modality == "sketch" else load_photo(file, target=self.record.size)
        pixels = fit(picture, self.record)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(pixels.tobytes())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return pixels


def prepared_pixels(
    files: Sequence[Path], modality: Modality, record: Preprocessing, *, workers: int, progress: Progress
) -> PreparedPictures:
    """The pictures of ``files``, in order, prepared as ``record`` says, unless they are in the cache."""
    folder = cache_folder() / "pixels"
    keys = _keys(files, modality, record)
    pictures = PreparedPictures(files, [folder / key[:2] / key[2:] for key in keys], modality, record)
    try:
        missing = [row for row, target in enumerate(pictures.kept) if not _touch(target)]
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            _make_room(folder, set(pictures.kept), len(missing) * record.size**2 * 3)
            name = "preparing sketches" if modality == "sketch" else "preparing photos"
            with progress.task(name, len(missing)) as done:
                for _ in map_ahead(pictures.prepare, missing, workers=workers, depth=4 * workers):
                    done(1)
    except OSError as error:
        raise TrainingError(
            f"prepared pictures cannot be written to {folder} ({error.strerror or error}): free disk space, make "
            "it writable, or set the environment variable SKETCHSEEK_CACHE to another folder"
        ) from error
    return pictures


def _touch(file: Path) -> bool:
    """Mark a file as used now; whether it exists."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _keys(files: Sequence[Path], modality: Modality, record: Preprocessing) -> list[str]:
    # Mean and deviation are applied later, on the device: they do not affect the pixels.
    pixels_of = replace(record, mean=CLIP_MEAN, std=CLIP_STD)
    common = hashlib.sha256(f"{_VERSION}\n{modality}\n{pixels_of.fingerprint}\n".encode())
    keys = []
    for file in files:
        try:
            facts = file.stat()
        except OSError as error:
            raise TrainingError(f"{file} cannot be read ({error.strerror}): fix or remove it") from error
        digest = common.copy()
        digest.update(f"{file.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        keys.append(digest.hexdigest()[:32])
    return keys


def _make_room(folder: Path, keep: set[Path], needed: int) -> None:
    """Delete the least recently used files until there is room; raise an error if that is not enough."""
    others = _others(folder, keep)
    used = sum(size for _, size, _ in others)
    free = shutil.disk_usage(folder).free
    while others and (used + needed > KEEP_BYTES or free < needed + SPARE_BYTES):
        _, size, oldest = others.pop()
        used, free = used - size, free + size
        oldest.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise TrainingError(
            f"prepared pictures need {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free: free disk "
            "space, or set the environment variable SKETCHSEEK_CACHE to a folder on another disk"
        )


def _others(folder: Path, keep: set[Path]) -> list[tuple[float, int, Path]]:
    """Time of the last use, size and path of all files but ``keep``, the least recently used last."""
    found = []
    for file in folder.rglob("*"):
        if file in keep:
            continue
        try:
            facts = file.stat()
        except FileNotFoundError:
            continue
        if not file.is_dir():
            found.append((facts.st_mtime, facts.st_size, file))
    return sorted(found, reverse=True)
