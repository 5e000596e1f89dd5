"""Collections and saved searches in the database of a gallery in a folder.

They can be changed while another process indexes: SQLite orders the writes of the two.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchseek.gallery.collections import (
    MAX_QUERY,
    Collection,
    Collections,
    SavedSearch,
    checked_name,
    unknown_name,
)
from sketchseek.gallery.embedded.opening import prepare
from sketchseek.gallery.embedded.rows import checked, is_intact, row_crc
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors, busy
from sketchseek.gallery.embedded.writer import Writer, write_lock
from sketchseek.gallery.errors import GalleryBusyError, GalleryError, GalleryOutdatedError
from sketchseek.gallery.hits import Hit
from sketchseek.gallery.paths import AnyPath, absolute
from sketchseek.gallery.ranking import hit_of
from sketchseek.gallery.records import Photo, content_id
from sketchseek.wording import shown

if TYPE_CHECKING:
    from sketchseek.gallery.embedded.catalogue import Catalogue


class EmbeddedCollections(Collections):
    """See ``Collections``."""

    def __init__(
        self,
        folder: Path,
        reading: "Callable[[], AbstractContextManager[Catalogue]]",
        check_writable: Callable[[], None],
    ) -> None:
        """``folder``: of the gallery. ``reading``: a block that reads one state of its database."""
        self._folder, self._reading, self._check_writable = folder, reading, check_writable

    def all(self) -> list[Collection]:
        with self._reading() as catalogue:
            return [_described(catalogue, row, name, made) for row, name, made in _collections(catalogue)]

    def get(self, name: str) -> Collection:
        with self._reading() as catalogue:
            row, made = _found(catalogue, name)
            return _described(catalogue, row, name, made)

    def photos(self, name: str, offset: int = 0, count: int | None = None) -> list[Hit]:
        with self._reading() as catalogue:
            row, _ = _found(catalogue, name)
            found = catalogue.rows(
                "SELECT c.crc, c.row, c.hash, c.width, c.height, c.taken, a.crc, a.content, a.camera, a.colours "
                "FROM collection_photos p JOIN contents c ON c.hash = p.hash AND c.copies > 0 "
                "LEFT JOIN facts a ON a.content = c.row WHERE p.collection = ? ORDER BY p.row "
                "LIMIT ? OFFSET ?",
                (row, -1 if count is None else count, offset),
            )
            return [hit_of(photo, 1.0) for row in found if (photo := _photo(catalogue, row))]

    def id_of(self, path: AnyPath) -> str:
        with self._reading() as catalogue:
            found = catalogue.rows(
                "SELECT c.hash FROM files f JOIN contents c ON c.row = f.content WHERE f.path = ?", (absolute(path),)
            )
        if not found:
            raise GalleryError(f"{shown(path)} is not in the gallery {shown(self._folder)}; index its folder first.")
        return content_id(found[0][0])

    def add(self, name: str, ids: Sequence[str]) -> int:
        name = checked_name(name)
        with self._writing() as writer:
            digests = [self._digest(writer, id) for id in dict.fromkeys(ids)]
            known = {each: row for row, each, _ in _collections(writer)}
            row = known[name] if name in known else _insert(writer, "collections", name=name, made=_now())
            there = {digest for digest, _ in _members(writer, row)}
            new = [digest for digest in digests if digest not in there]
            for digest in new:
                _insert(writer, "collection_photos", collection=row, hash=digest)
            return len(new)

    def remove(self, name: str, ids: Sequence[str]) -> int:
        with self._writing() as writer:
            row, _ = _found(writer, name)
            members = {content_id(digest): number for digest, number in _members(writer, row)}
            gone = [members[id] for id in dict.fromkeys(ids) if id in members]
            for number in gone:
                writer.write("DELETE FROM collection_photos WHERE row = ?", (number,))
            return len(gone)

    def rename(self, name: str, new_name: str) -> None:
        new_name = checked_name(new_name)
        with self._writing() as writer:
            row, made = _found(writer, name)
            if new_name != name and any(new_name == other for _, other, _ in _collections(writer)):
                raise GalleryError(f"there is a collection {new_name!r} already; choose another name.")
            crc = row_crc(row, new_name, made)
            writer.write("UPDATE collections SET name = ?, crc = ? WHERE row = ?", (new_name, crc, row))

    def delete(self, name: str) -> None:
        with self._writing() as writer:
            row, _ = _found(writer, name)
            writer.write("DELETE FROM collection_photos WHERE collection = ?", (row,))
            writer.write("DELETE FROM collections WHERE row = ?", (row,))

    def searches(self) -> list[SavedSearch]:
        with self._reading() as catalogue:
            rows = catalogue.rows("SELECT crc, row, name, query, made FROM saved_searches ORDER BY name", ())
            checked_rows = [checked(row, catalogue.folder) for row in rows]
        return [
            SavedSearch(name, json.loads(query), datetime.fromisoformat(made)) for _, name, query, made in checked_rows
        ]

    def save_search(self, name: str, query: Mapping[str, Any]) -> None:
        name, text = checked_name(name), json.dumps(query)
        if len(text) > MAX_QUERY:
            raise GalleryError(f"the search {name!r} is over the limit of {MAX_QUERY // 2**20} MB; draw less.")
        with self._writing() as writer:
            writer.write("DELETE FROM saved_searches WHERE name = ?", (name,))
            _insert(writer, "saved_searches", name=name, query=text, made=_now())

    def delete_search(self, name: str) -> None:
        with self._writing() as writer:
            if not writer.write("DELETE FROM saved_searches WHERE name = ?", (name,)):
                names = [name for (name,) in writer.rows("SELECT name FROM saved_searches", ())]
                raise unknown_name("saved search", name, names)

    def _digest(self, catalogue: "Catalogue", id: str) -> bytes:
        digest = catalogue.digest(id)
        if digest is None:
            raise GalleryError(f"the gallery {shown(self._folder)} has no photo {id!r}; index its folder again.")
        return digest

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        """A transaction. It does not wait for a process that indexes, which holds the write lock for hours."""
        self._check_writable()
        folder = self._folder
        with ExitStack() as stack:
            try:
                stack.enter_context(write_lock(folder, wait=0))
                prepare(folder)
            except GalleryBusyError:
                pass
            try:
                writer = stack.enter_context(closing(Writer(folder)))
            except GalleryOutdatedError:  # the process with the lock migrates it
                raise busy(folder) from None
            with as_gallery_errors(folder), writer.transaction():
                yield writer
            if writer.is_outdated():  # it was rebuilt meanwhile, and this change is in the old database
                raise busy(folder)


def _collections(catalogue: "Catalogue") -> list[tuple[int, str, str]]:
    """(row, name, when it was made), by name."""
    rows = catalogue.rows("SELECT crc, row, name, made FROM collections ORDER BY name", ())
    return [(row, name, made) for row, name, made in (checked(row, catalogue.folder) for row in rows)]


def _found(catalogue: "Catalogue", name: str) -> tuple[int, str]:
    """(row, when it was made) of a collection."""
    known = {each: (row, made) for row, each, made in _collections(catalogue)}
    if name not in known:
        raise unknown_name("collection", name, known)
    return known[name]


def _members(catalogue: "Catalogue", collection: int) -> list[tuple[bytes, int]]:
    """(hash, row) of the photos in a collection; damaged rows are omitted."""
    rows = catalogue.rows(
        "SELECT crc, row, collection, hash FROM collection_photos WHERE collection = ?", (collection,)
    )
    return [(row[3], row[1]) for row in rows if is_intact(row)]


def _described(catalogue: "Catalogue", row: int, name: str, made: str) -> Collection:
    ((photos, all_of_them),) = catalogue.rows(
        "SELECT count(c.row), count(*) FROM collection_photos p LEFT JOIN contents c ON c.hash = p.hash AND "
        "c.copies > 0 WHERE p.collection = ?",
        (row,),
    )
    return Collection(name, photos, all_of_them - photos, datetime.fromisoformat(made))


def _photo(catalogue: "Catalogue", found: tuple[Any, ...]) -> Photo | None:
    content, facts = found[:6], found[6:]
    if not is_intact(content):
        return None
    row, digest, width, height, taken = content[1:]
    paths, colours = tuple(catalogue.paths(row)), facts[3] if is_intact(facts) else None
    return Photo(row, content_id(digest), width, height, taken, paths, colours) if paths else None


def _insert(writer: Writer, table: str, **values: object) -> int:
    """Add a row with its number and its checksum; returns the number."""
    ((row,),) = writer.rows(f"SELECT coalesce(max(row), 0) + 1 FROM {table}", ())  # noqa: S608 - a name of ours
    columns = {"row": row, **values}
    names, marks = ", ".join((*columns, "crc")), ", ".join("?" * (len(columns) + 1))
    writer.write(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names of ours
        (*columns.values(), row_crc(*columns.values())),
    )
    return int(row)


def _now() -> str:
    return datetime.now().isoformat(timespec="seconds")
