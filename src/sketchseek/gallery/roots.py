"""Paths that mean the same on every machine: the name of a root folder, and the way from there.

A machine maps the names of roots to its own folders (``--root photos=/mnt/photos``). On the server a way is text: bytes
that are no text, and characters that mean something to the server, are written as ``=`` and two hex digits.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.paths import absolute
from sketchseek.wording import shown

ROOTS = "SKETCHSEEK_ROOTS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SPECIAL = frozenset("=%\"'\\")
_ESCAPE = re.compile(r"=([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Place:
    """``way``: from the root, as bytes with ``/`` between; empty for the root itself."""

    root: str
    way: bytes


class Roots:
    """The roots that this machine knows."""

    def __init__(self, folders: Mapping[str, str | os.PathLike[str]]) -> None:
        for name in folders:
            if not _NAME.fullmatch(name):
                raise GalleryError(f"{name!r} is no name for a root; use letters, digits, dots and hyphens.")
        self.folders = {name: absolute(folder) for name, folder in folders.items()}
        # The longest first: a root inside another has its own name.
        self._ordered = sorted(self.folders.items(), key=lambda one: -len(one[1]))

    def __contains__(self, name: str) -> bool:
        return name in self.folders

    def place(self, path: str | bytes | os.PathLike[str]) -> Place:
        """Where a path of this machine is; also understood: ``NAME/way``, as photos of unknown roots are shown."""
        there = absolute(path)
        for name, folder in self._ordered:
            if there == folder:
                return Place(name, b"")
            if there.startswith(folder.rstrip(b"/") + b"/"):
                return Place(name, there[len(folder.rstrip(b"/")) + 1 :])
        given = os.fsencode(path)
        first, _, way = given.partition(b"/")
        name = os.fsdecode(first)
        if _NAME.fullmatch(name) and name not in self.folders and not os.path.lexists(given):
            if way and not _plain(way):
                raise GalleryError(f"{shown(path)} is no way from a root; write NAME/FOLDER without dots.")
            return Place(name, way)
        raise GalleryError(
            f"{shown(path)} is in no root folder, and a gallery on a server does not keep paths of one machine; name "
            f"its root with --root NAME=FOLDER, or in ${ROOTS}."
        )

    def path(self, place: Place) -> bytes:
        """The path on this machine; for a root that it does not know ``NAME/way``, which is no file."""
        folder = self.folders.get(place.root)
        start = os.fsencode(place.root) if folder is None else folder.rstrip(b"/")
        return start + b"/" + place.way if place.way else (start or b"/")


def named(settings: Iterable[str] = ()) -> dict[str, str]:
    """NAME=FOLDER texts as a mapping, over those of $SKETCHSEEK_ROOTS (one a line, or separated as in PATH)."""
    found: dict[str, str] = {}
    inherited = re.split(rf"\n|{os.pathsep}(?={_NAME.pattern}=)", os.environ.get(ROOTS, ""))
    for text in [*filter(None, inherited), *settings]:
        name, sign, folder = text.partition("=")
        if not sign or not folder:
            raise GalleryError(f"{text!r} names no root; write NAME=FOLDER.")
        found[name] = folder
    return found


def encoded(way: bytes) -> str:
    """A way as text."""
    text = way.decode("utf-8", "surrogateescape")
    return "".join(
        char
        if char.isprintable() and char not in _SPECIAL
        else "".join(f"={byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def decoded(text: str) -> bytes | None:
    """The way that a text means; None if it leads out of its root: nobody of ours wrote that."""
    way = b"".join(
        part.encode() if number % 2 == 0 else bytes([int(part, 16)]) for number, part in enumerate(_ESCAPE.split(text))
    )
    return way if _plain(way) else None


def _plain(way: bytes) -> bool:
    return all(part not in (b"", b".", b"..") and b"\0" not in part for part in way.split(b"/"))
