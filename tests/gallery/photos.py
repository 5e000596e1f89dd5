"""Tiny photos made from numbers: the same seed is the same file, byte for byte."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def png(seed: int, side: int = 16) -> bytes:
    """A photo of 4 x 4 random patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(patches.repeat(side // 4, 0).repeat(side // 4, 1)).save(stream, "PNG")
    return stream.getvalue()


def flat(colour: tuple[int, int, int], note: str = "") -> bytes:
    """A photo of one colour; another ``note`` makes another file with the same pixels."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(stream, "PNG")
    data = stream.getvalue()
    text = b"tEXt" + f"note\0{note}".encode()
    return data[:33] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + data[33:]


def jpeg(
    seed: int,
    *,
    taken: str | None = None,
    turned: bool = False,
    size: tuple[int, int] = (24, 16),
    camera: str | None = None,
) -> bytes:
    """A JPEG with what a camera writes: when it was taken (YYYY:MM:DD HH:MM:SS), that it was held upright, its name."""
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[36867] = taken
    if camera:
        exif[272] = camera
    if turned:
        exif[274] = 6
    stream = io.BytesIO()
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))
    picture.save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def put(path: Path, data: bytes, mtime: int | None = None) -> Path:
    """Write a file, and if asked give it a time of change (seconds), so that a test need not wait for the clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def fill(folder: Path, count: int, first: int = 0) -> list[Path]:
    """``count`` different photos in ``folder``."""
    return [put(folder / f"{seed:05}.png", png(seed)) for seed in range(first, first + count)]
