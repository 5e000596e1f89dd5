"""Paths that mean the same on every machine: the name of a root folder, and the path relative to it.

A machine maps the names of roots to its own folders (``--root photos=/mnt/photos``). On the server a relative path is
text: bytes that are not text, and special characters of the server, are written as ``=`` and two hex digits.
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
    """A path below a root. ``relative``: bytes with ``/`` between names; empty for the root itself."""

    root: str
    relative: bytes


class Roots:
    """The roots of this machine: name -> folder."""

    def __init__(self, folders: Mapping[str, str | os.PathLike[str]]) -> None:
        for name in folders:
            if not _NAME.fullmatch(name):
                raise GalleryError(f"{name!r} is not a name for a root; use letters, digits, dots and hyphens.")
        self.folders = {name: absolute(folder) for name, folder in folders.items()}
        # The longest first, so that a path is in the innermost root.
        self._ordered = sorted(self.folders.items(), key=lambda one: -len(one[1]))

    def __contains__(self, name: str) -> bool:
        return name in self.folders

    def place(self, path: str | bytes | os.PathLike[str]) -> Place:
        """The root of a path and the path in it. ``NAME/relative`` is also accepted, as ``path`` returns it."""
        there = absolute(path)
        for name, folder in self._ordered:
            if there == folder:
                return Place(name, b"")
            if there.startswith(folder.rstrip(b"/") + b"/"):
                return Place(name, there[len(folder.rstrip(b"/")) + 1 :])
        given = os.fsencode(path)
        first, _, relative = given.partition(b"/")
        name = os.fsdecode(first)
        if _NAME.fullmatch(name) and name not in self.folders and not os.path.lexists(given):
            if relative and not _is_plain(relative):
                raise GalleryError(f"{shown(path)} is not a path below a root; write NAME/FOLDER without dots.")
            return Place(name, relative)
        raise GalleryError(
            f"{shown(path)} is in no root folder, and a gallery on a server keeps only paths below roots; name "
            f"its root with --root NAME=FOLDER, or in ${ROOTS}."
        )

    def path(self, place: Place) -> bytes:
        """The path on this machine; if it does not have the root, ``NAME/relative``, which is not a file."""
        folder = self.folders.get(place.root)
        start = os.fsencode(place.root) if folder is None else folder.rstrip(b"/")
        return start + b"/" + place.relative if place.relative else (start or b"/")


def named(settings: Iterable[str] = ()) -> dict[str, str]:
    """name -> folder from NAME=FOLDER texts and from $SKETCHSEEK_ROOTS (one per line, or separated as in PATH)."""
    found: dict[str, str] = {}
    inherited = re.split(rf"\n|{os.pathsep}(?={_NAME.pattern}=)", os.environ.get(ROOTS, ""))
    for text in [*filter(None, inherited), *settings]:
        name, sign, folder = text.partition("=")
        if not sign or not folder:
            raise GalleryError(f"{text!r} does not name a root; write NAME=FOLDER.")
        found[name] = folder
    return found


def encoded(relative: bytes) -> str:
    """A relative path as text."""
    text = relative.decode("utf-8", "surrogateescape")
    return "".join(
        char
        if char.isprintable() and char not in _SPECIAL
        else "".join(f"={byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def decoded(text: str) -> bytes | None:
    """The relative path of a text; None if it leads out of its root, which ``encoded`` never writes."""
    relative = b"".join(
        part.encode() if number % 2 == 0 else bytes([int(part, 16)]) for number, part in enumerate(_ESCAPE.split(text))
    )
    return relative if _is_plain(relative) else None


def _is_plain(relative: bytes) -> bool:
    return all(part not in (b"", b".", b"..") and b"\0" not in part for part in relative.split(b"/"))
