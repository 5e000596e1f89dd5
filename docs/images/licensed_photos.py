"""Openly licensed photos out of Debian's package gcompris-qt-data, with the author and licence of each.

apt-get download gcompris-qt-data && dpkg-deb -x gcompris-qt-data_*.deb build/gcompris
"""

import fnmatch
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

RESOURCES = ("categorization", "erase", "explore_farm_animals", "explore_monuments", "explore_world_animals")
OPEN = re.compile(r"public-domain|CC0-1\.0|CC-BY(-SA)?-[234]\.[05]")
PICTURES = (".webp", ".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Licence:
    """``files``: patterns of file names without their endings, which the package has changed."""

    files: tuple[str, ...]
    author: str
    name: str
    source: str


def extract(package: Path, folder: Path) -> dict[str, Licence]:
    """Write the photos of the unpacked ``package`` into ``folder``; file name -> licence."""
    licences = list(_licences(next(package.rglob("copyright")).read_text(encoding="utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for resource in RESOURCES:
        for path, data in _unpacked(next(package.rglob(f"{resource}.rcc")).read_bytes()):
            name = path.removeprefix("gcompris/")
            licence = next((one for one in licences if _matches(one, name)), None)
            if not name.endswith(PICTURES) or licence is None or not OPEN.fullmatch(licence.name):
                continue
            file = f"{PurePosixPath(name).parent.name}-{PurePosixPath(name).name}"
            (folder / file).write_bytes(data)
            found[file] = licence
    return found


def _matches(licence: Licence, name: str) -> bool:
    return any(fnmatch.fnmatch(str(PurePosixPath(name).with_suffix("")), pattern) for pattern in licence.files)


def _licences(text: str) -> Iterator[Licence]:
    """Debian's machine-readable copyright file, but for what a whole folder has in common."""
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*):[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
        files = tuple(
            str(PurePosixPath(file).with_suffix("")) for file in fields.get("Files", "").split() if file[-1] != "*"
        )
        if files:
            author = " ".join(fields["Copyright"].split())
            yield Licence(files, author, fields["License"].split("\n")[0], " ".join(fields.get("Comment", "").split()))


def _unpacked(resource: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every file in a Qt resource."""
    magic, version, tree, data, names = struct.unpack_from(">4sIIII", resource)
    if magic != b"qres":
        raise ValueError("not a Qt resource")
    size = 14 if version < 2 else 22

    def walk(node: int, path: str) -> Iterator[tuple[str, bytes]]:
        at = tree + node * size
        name_at, flags = struct.unpack_from(">IH", resource, at)
        if node:
            (length,) = struct.unpack_from(">H", resource, names + name_at)
            name = resource[names + name_at + 6 :][: 2 * length].decode("utf-16-be")
            path = f"{path}/{name}" if path else name
        if flags & 2:  # a folder
            count, first = struct.unpack_from(">II", resource, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (start,) = struct.unpack_from(">I", resource, at + 10)
        (length,) = struct.unpack_from(">I", resource, data + start)
        content = resource[data + start + 4 :][:length]
        yield path, zlib.decompress(content[4:]) if flags & 1 else content

    yield from walk(0, "")
