"""Reading a gallery on a server: what is known of files, and what is known of contents."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.server import ANSWER_S, plain_words
from sketchseek.gallery.milvus.tables import FACTS, MOST, Tables, id_of
from sketchseek.gallery.records import Entry, Facts, Known, ModelSet, Photo
from sketchseek.gallery.roots import Place, Roots, decoded, encoded

PAGE = 8192  # rows fetched at once


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of the files; ``place`` is None if its way leads out of its root."""

    key: str
    place: Place | None
    size: int
    mtime_ns: int
    photo: int
    content: Facts


class Reader:
    """Questions to the two collections. ``fresh`` answers wait until the server has taken in all that was written."""

    def __init__(self, client: Any, address: Address, tables: Tables, roots: Roots) -> None:
        self.client, self.address, self.tables, self.roots = client, address, tables, roots

    @property
    def folder(self) -> str:
        """What messages call the gallery."""
        return str(self.address)

    def models(self) -> list[ModelSet]:
        return [self.tables.model]

    def current_model(self) -> ModelSet | None:
        return self.tables.model

    def query(
        self, what: str, fields: Sequence[str], *, notes: bool = False, fresh: bool = False
    ) -> list[dict[str, Any]]:
        """All rows that fit an expression which bounds their number."""
        with plain_words(self.address):
            found = self.client.query(
                self.tables.notes if notes else self.tables.files,
                filter=what,
                output_fields=list(fields),
                consistency_level="Strong" if fresh else self.address.consistency,
                timeout=ANSWER_S,
            )
            return list(found)

    def pages(
        self, what: str, fields: Sequence[str], *, notes: bool = False, page: int = PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """All rows that fit, however many, in pages by key; fresh as of the first page."""
        self.settle(notes=notes)
        collection, last = self.tables.notes if notes else self.tables.files, ""
        while True:
            with plain_words(self.address):
                found = self.client.query(
                    collection,
                    filter=f'key > "{last}"' + (f" and ({what})" if what else ""),
                    output_fields=[*dict.fromkeys(["key", *fields])],
                    limit=page,
                    reduce_stop_for_best=True,  # the smallest keys of all segments, and none left out between
                    consistency_level="Bounded",
                    timeout=ANSWER_S,
                )
            if not found:  # a short page is no end: the server stops where it is not sure of the order
                return
            yield list(found)
            last = max(row["key"] for row in found)

    def count(self, what: str = "", *, notes: bool = False, fresh: bool = False) -> int:
        return int(self.query(what, ["count(*)"], notes=notes, fresh=fresh)[0]["count(*)"])

    def settle(self, *, notes: bool) -> None:
        """Wait until everybody's searches see what was written before: ask for an answer as of now."""
        self.query('key == ""', ["key"], notes=notes, fresh=True)

    # Files.

    def known(self, folder: bytes, model: int) -> dict[bytes, Known]:
        """All files under a folder, and the failures; a file that is there counts, even if it is noted as failed."""
        place = self.roots.place(folder)
        return self.known_failures(place) | self.known_files(place)

    def known_failures(self, folder: Place) -> dict[bytes, Known]:
        """What is noted as failed under a folder."""
        found: dict[bytes, Known] = {}
        for page in self.pages(within(folder), ["root", "path", "size", "mtime_ns", "text"], notes=True):
            for row in page:
                if (path := self._path(row)) is not None and row["key"].startswith("failure"):
                    found[path] = Known(row["size"], row["mtime_ns"], None, row["text"], 0)
        return found

    def known_files(self, folder: Place) -> dict[bytes, Known]:
        """The files under a folder whose vectors are there."""
        found: dict[bytes, Known] = {}
        for page in self.pages(within(folder), ["root", "path", "size", "mtime_ns", "photo"]):
            for row in page:
                if (path := self._path(row)) is not None:
                    found[path] = Known(row["size"], row["mtime_ns"], row["photo"], None, 1)
        return found

    def folders(self) -> dict[bytes, int]:
        """The folders that were added in roots that this machine knows, with the device each was on."""
        return {path: device for path, device in self.all_folders().items() if os.path.isabs(path)}  # noqa: PTH117

    def all_folders(self) -> dict[bytes, int]:
        """All folders that were added; those in roots that this machine does not know as ``NAME/way``."""
        pages = self.pages('kind == "folder"', ["root", "path", "text"], notes=True)
        found = {path: int(row["text"]) for page in pages for row in page if (path := self._path(row)) is not None}
        return dict(sorted(found.items()))

    def failures(self) -> list[tuple[bytes, str]]:
        """By path."""
        pages = self._failed(["root", "path", "text"])
        return sorted((path, row["text"]) for page in pages for row in page if (path := self._path(row)) is not None)

    def outdated(self) -> int:
        """How many files are noted as failed that are there: their indexer died before it took the note away."""
        noted = self.count('kind == "failure"', notes=True, fresh=True)
        return noted - sum(len(page) for page in self._failed([]))

    def _failed(self, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """The notes of failures, but for files that are there."""
        for page in self.pages('kind == "failure"', fields, notes=True, page=1000):
            keys = {row["key"]: row["key"].removeprefix("failure-") for row in page}
            there = {row["key"] for row in self.query(f"key in {[*keys.values()]}", ["key"], fresh=True)}
            yield [row for row in page if keys[row["key"]] not in there]

    def rows(self, what: str = "", *, page: int = 1000) -> Iterator[list[FileRow]]:
        """All file rows with their vectors, fresh."""
        for found in self.pages(what, ["key", *FACTS, "photo", "vector"], page=page):
            yield [
                FileRow(row["key"], place_of(row), row["size"], row["mtime_ns"], row["photo"], content_of(row))
                for row in found
            ]

    # Contents.

    def content_row(self, photo: int) -> Facts | None:
        """A content by its number, from whichever of its files comes first."""
        rows = self.query(f"photo == {photo}", ["hash", "width", "height", "taken", "vector"])
        return content_of(rows[0]) if rows else None

    def photos(self, numbers: Sequence[int]) -> dict[int, Photo]:
        """Contents with all their files, by number."""
        rows = self.query(f"photo in {list(numbers)}", [*FACTS, "photo"])
        places: dict[int, list[bytes]] = {}
        facts: dict[int, dict[str, Any]] = {}
        for row in rows:
            if (path := self._path(row)) is not None:
                places.setdefault(row["photo"], []).append(path)
                facts[row["photo"]] = row
        return {
            photo: Photo(
                photo, id_of(photo), row["width"], row["height"], row["taken"] or None, tuple(sorted(places[photo]))
            )
            for photo, row in facts.items()
        }

    def distinct(self) -> int:
        """How many contents there are. Reads the number of every row."""
        parts = [np.array([row["photo"] for row in page], np.int64) for page in self.pages("", ["photo"], page=MOST)]
        return len(np.unique(np.concatenate(parts))) if parts else 0

    def entries(self) -> Iterator[list[Entry]]:
        """All files and failures, as a copy needs them; rows that lead out of their root are left out."""
        for rows in self.rows():
            yield [
                Entry(self.roots.path(row.place), row.size, row.mtime_ns, row.content, None)
                for row in rows
                if row.place
            ]
        fields = ["root", "path", "size", "mtime_ns", "text"]
        for page in self._failed(fields):
            yield [
                Entry(path, row["size"], row["mtime_ns"], None, row["text"])
                for row in page
                if (path := self._path(row)) is not None
            ]

    def vectors(self, numbers: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """Vectors by the number of their content."""
        return {
            row["photo"]: content_of(row).vector
            for row in self.query(
                f"photo in {list(numbers)}", ["photo", "hash", "width", "height", "taken", "vector"], fresh=True
            )
        }

    def _path(self, row: dict[str, Any]) -> bytes | None:
        place = place_of(row)
        return self.roots.path(place) if place is not None else None


def within(place: Place) -> str:
    """The expression of all files in a folder and deeper."""
    root = f'root == "{place.root}"'
    if not place.way:
        return root
    way = encoded(place.way)
    return f'{root} and path >= "{way}/" and path < "{way}0"'  # "0" comes after "/"


def place_of(row: dict[str, Any]) -> Place | None:
    """None if the way leads out of its root."""
    if row["path"] == "":
        return Place(row["root"], b"")
    way = decoded(row["path"])
    return Place(row["root"], way) if way is not None else None


def content_of(row: dict[str, Any]) -> Facts:
    vector = np.asarray(row["vector"], np.float32).astype(np.float16)
    return Facts(bytes.fromhex(row["hash"]), row["width"], row["height"], row["taken"] or None, vector)
