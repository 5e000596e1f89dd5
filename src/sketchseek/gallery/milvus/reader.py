"""Reading a gallery on a server: its folders, files and contents."""

import os
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.server import ANSWER_S, as_gallery_errors
from sketchseek.gallery.milvus.tables import MAX_RESULTS, PLACE, Tables, id_of
from sketchseek.gallery.records import Entry, Facts, KnownFile, ModelSet, Photo
from sketchseek.gallery.relevance import SAMPLE, Background
from sketchseek.gallery.roots import Place, Roots, decoded, encoded

PAGE = 8192  # rows fetched at once


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of the files; ``place`` is None if its path leads out of its root."""

    key: str
    place: Place | None
    size: int
    mtime_ns: int
    photo: int
    content: Facts


class Reader:
    """Queries on the two collections. ``fresh`` queries wait until the server shows all that was written before."""

    def __init__(self, client: Any, address: Address, tables: Tables, roots: Roots) -> None:
        self.client, self.address, self.tables, self.roots = client, address, tables, roots

    @property
    def folder(self) -> str:
        """See ``Store``."""
        return str(self.address)

    def models(self) -> list[ModelSet]:
        return [self.tables.model]

    def current_model(self) -> ModelSet | None:
        return self.tables.model

    def query(
        self, filter: str, fields: Sequence[str], *, notes: bool = False, fresh: bool = False
    ) -> list[dict[str, Any]]:
        """All rows that pass ``filter``, an expression of the server; it must select few rows."""
        with as_gallery_errors(self.address):
            found = self.client.query(
                self.tables.notes if notes else self.tables.files,
                filter=filter,
                output_fields=list(fields),
                consistency_level="Strong" if fresh else self.address.consistency,
                timeout=ANSWER_S,
            )
            return list(found)

    def pages(
        self, filter: str, fields: Sequence[str], *, notes: bool = False, page: int = PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """All rows that pass ``filter``, in pages by key, as of the first page."""
        self.wait_until_visible(notes=notes)
        collection, last = self.tables.notes if notes else self.tables.files, ""
        while True:
            with as_gallery_errors(self.address):
                found = self.client.query(
                    collection,
                    filter=f'key > "{last}"' + (f" and ({filter})" if filter else ""),
                    output_fields=[*dict.fromkeys(["key", *fields])],
                    limit=page,
                    reduce_stop_for_best=True,  # the smallest keys of all segments, without gaps
                    consistency_level="Bounded",
                    timeout=ANSWER_S,
                )
            if not found:  # a short page is not the end: the server stops where it is not sure of the order
                return
            yield list(found)
            last = max(row["key"] for row in found)

    def count(self, filter: str = "", *, notes: bool = False, fresh: bool = False) -> int:
        return int(self.query(filter, ["count(*)"], notes=notes, fresh=fresh)[0]["count(*)"])

    def wait_until_visible(self, *, notes: bool) -> None:
        """Wait until all searches see what was written before, by a query with strong consistency."""
        self.query('key == ""', ["key"], notes=notes, fresh=True)

    # Files.

    def known(self, folder: bytes, model: int) -> dict[bytes, KnownFile]:
        """See ``Store``; a file with a row counts as good, even if it is also recorded as failed."""
        place = self.roots.place(folder)
        return self.known_failures(place) | self.known_files(place)

    def known_failures(self, folder: Place) -> dict[bytes, KnownFile]:
        """The files under a folder that are recorded as failed."""
        found: dict[bytes, KnownFile] = {}
        for page in self.pages(within(folder), ["root", "path", "size", "mtime_ns", "text"], notes=True):
            for row in page:
                if (path := self._path(row)) is not None and row["key"].startswith("failure"):
                    found[path] = KnownFile(row["size"], row["mtime_ns"], None, row["text"], 0)
        return found

    def known_files(self, folder: Place) -> dict[bytes, KnownFile]:
        """The files under a folder that have a row, and so a vector."""
        found: dict[bytes, KnownFile] = {}
        for page in self.pages(within(folder), ["root", "path", "size", "mtime_ns", "photo"]):
            for row in page:
                if (path := self._path(row)) is not None:
                    found[path] = KnownFile(row["size"], row["mtime_ns"], row["photo"], None, 1)
        return found

    def folders(self) -> dict[bytes, int]:
        """See ``Store``; only folders in roots of this machine."""
        return {path: device for path, device in self.all_folders().items() if os.path.isabs(path)}  # noqa: PTH117

    def all_folders(self) -> dict[bytes, int]:
        """All folders that were added; those in roots of other machines as ``NAME/relative``."""
        pages = self.pages('kind == "folder"', ["root", "path", "text"], notes=True)
        found = {path: int(row["text"]) for page in pages for row in page if (path := self._path(row)) is not None}
        return dict(sorted(found.items()))

    def failures(self) -> list[tuple[bytes, str]]:
        """By path."""
        pages = self._failed(["root", "path", "text"])
        return sorted((path, row["text"]) for page in pages for row in page if (path := self._path(row)) is not None)

    def outdated_failures(self) -> int:
        """How many files with a row are also recorded as failed, because a run was stopped in between."""
        noted = self.count('kind == "failure"', notes=True, fresh=True)
        return noted - sum(len(page) for page in self._failed([]))

    def _failed(self, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """The records of failures, without those of files that have a row."""
        for page in self.pages('kind == "failure"', fields, notes=True, page=1000):
            keys = {row["key"]: row["key"].removeprefix("failure-") for row in page}
            there = {row["key"] for row in self.query(f"key in {[*keys.values()]}", ["key"], fresh=True)}
            yield [row for row in page if keys[row["key"]] not in there]

    def rows(self, *, page: int = 1000) -> Iterator[list[FileRow]]:
        """All file rows with their vectors, fresh."""
        for found in self.pages("", ["key", *PLACE, "photo", *self.tables.content_fields], page=page):
            yield [
                FileRow(row["key"], place_of(row), row["size"], row["mtime_ns"], row["photo"], content_of(row))
                for row in found
            ]

    # Contents.

    def content_row(self, photo: int) -> Facts | None:
        """A content by its number, from any of its files; None if it has none."""
        rows = self.query(f"photo == {photo}", self.tables.content_fields)
        return content_of(rows[0]) if rows else None

    def photos(self, numbers: Sequence[int]) -> dict[int, Photo]:
        """Contents with all their files, by number."""
        fields = [
            "root",
            "path",
            "width",
            "height",
            "taken",
            "photo",
            *(["colours"] if self.tables.keeps_facts else []),
        ]
        rows = self.query(f"photo in {list(numbers)}", fields)
        places: dict[int, list[bytes]] = {}
        facts: dict[int, dict[str, Any]] = {}
        for row in rows:
            if (path := self._path(row)) is not None:
                places.setdefault(row["photo"], []).append(path)
                facts[row["photo"]] = row
        return {
            photo: Photo(
                photo,
                id_of(photo),
                row["width"],
                row["height"],
                row["taken"] or None,
                tuple(sorted(places[photo])),
                bytes_of(row.get("colours", "")),
            )
            for photo, row in facts.items()
        }

    def count_photos(self) -> int:
        """How many contents there are; reads the number of every row."""
        parts = [
            np.array([row["photo"] for row in page], np.int64) for page in self.pages("", ["photo"], page=MAX_RESULTS)
        ]
        return len(np.unique(np.concatenate(parts))) if parts else 0

    def background(self) -> Background:
        """See ``ranking.Candidates``. Keys are hashes of paths, so the smallest are of any files.

        If there are more files than a sample, each counts as a photo: counting photos reads every row.
        """
        with as_gallery_errors(self.address):
            rows = self.client.query(
                self.tables.files,
                filter='key > ""',
                output_fields=["photo", "vector"],
                limit=SAMPLE,
                reduce_stop_for_best=True,
                consistency_level=self.address.consistency,
                timeout=ANSWER_S,
            )
        vectors = {row["photo"]: np.asarray(row["vector"], np.float16) for row in rows}
        matrix = np.array(list(vectors.values()), np.float64).reshape(len(vectors), self.tables.model.size)
        return Background(matrix, self.count() if len(rows) == SAMPLE else len(vectors))

    def entries(self) -> Iterator[list[Entry]]:
        """All files and failures, as a copy needs them; rows whose path leads out of its root are omitted."""
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
            for row in self.query(f"photo in {list(numbers)}", ["photo", *self.tables.content_fields], fresh=True)
        }

    def _path(self, row: dict[str, Any]) -> bytes | None:
        place = place_of(row)
        return self.roots.path(place) if place is not None else None


def within(place: Place) -> str:
    """The server's expression for all files under a folder."""
    root = f'root == "{place.root}"'
    if not place.relative:
        return root
    relative = encoded(place.relative)
    return f'{root} and path >= "{relative}/" and path < "{relative}0"'  # "0" comes after "/"


def place_of(row: dict[str, Any]) -> Place | None:
    """The place of a row; None if its path leads out of its root."""
    if row["path"] == "":
        return Place(row["root"], b"")
    relative = decoded(row["path"])
    return Place(row["root"], relative) if relative is not None else None


def content_of(row: dict[str, Any]) -> Facts:
    vector = np.asarray(row["vector"], np.float32).astype(np.float16)
    lines, colours = bytes_of(row.get("lines", "")), bytes_of(row.get("colours", ""))
    taken, camera = row["taken"] or None, row.get("camera") or None
    return Facts(bytes.fromhex(row["hash"]), row["width"], row["height"], taken, vector, lines, camera, colours)


def bytes_of(text: str) -> bytes | None:
    """Outlines or colours from their field; None if there are none, or if they are damaged."""
    try:
        return b64decode(text, validate=True) or None
    except ValueError:
        return None
