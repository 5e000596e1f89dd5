"""Paths as a gallery keeps them: absolute, as the bytes that the system uses."""

import os
from collections.abc import Sequence
from pathlib import Path

from sketchseek.gallery.stores import is_address

AnyPath = str | os.PathLike[str]


def absolute(path: str | bytes | os.PathLike[str]) -> bytes:
    """The path without ``..``, links not followed."""
    return os.path.abspath(os.fsencode(path))  # noqa: PTH100 - Path.resolve follows links


def below(folder: bytes) -> tuple[bytes, bytes]:
    """The half-open range of all paths under ``folder``."""
    separator = os.fsencode(os.sep)
    prefix = folder.rstrip(separator) + separator
    return prefix, prefix[:-1] + bytes([prefix[-1] + 1])


def as_list(paths: AnyPath | Sequence[AnyPath]) -> list[AnyPath]:
    """One path or many, as a list."""
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def default_gallery() -> Path | str:
    """The default gallery: $SKETCHSEEK_GALLERY, else a folder in the platform's place for application data."""
    if place := os.environ.get("SKETCHSEEK_GALLERY"):
        return place if is_address(place) else Path(os.fsdecode(absolute(place)))
    from platformdirs import user_data_path

    return user_data_path("sketchseek", appauthor=False) / "gallery"
