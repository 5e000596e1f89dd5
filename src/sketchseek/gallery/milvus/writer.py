"""Writing a gallery on a server in batches: its ``Store``.

Each row has everything about its file, so no file is ever half written. A batch first writes new rows, then deletes
old ones. Several processes may write at once, because they write the same rows for the same files.
"""

import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.reader import Reader, within
from sketchseek.gallery.milvus.server import ANSWER_S, as_gallery_errors
from sketchseek.gallery.milvus.tables import Tables, key_of, photo_of
from sketchseek.gallery.records import Facts, KnownFile
from sketchseek.gallery.roots import Place, Roots, encoded
from sketchseek.wording import shown

RECENT_CONTENTS = 16_384  # contents in memory: more than can wait for their batch, or than queries lag behind writes
ROWS = 1000  # per call
UNINDEXED_LIMIT = 4096  # new rows that may stay without our index; above 128 * 39 the server makes a coarse one


class MilvusWriter(Reader):
    """See ``Store``; the server is written to at the end of each ``batch``."""

    def __init__(self, client: Any, address: Address, tables: Tables, roots: Roots) -> None:
        super().__init__(client, address, tables, roots)
        self._lock = threading.Lock()
        self._recent: OrderedDict[int, Facts] = OrderedDict()
        self._facts: dict[int, tuple[bytes, int, int, str | None]] = {}
        self._seen: dict[bytes, KnownFile] = {}
        self._places: dict[int, list[bytes]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._notes: dict[str, dict[str, Any]] = {}
        self._files_to_delete: dict[str, bytes] = {}
        self._notes_to_delete: set[str] = set()

    # Reading; what was read is kept in memory for the run.

    def known(self, folder: bytes, model: int) -> dict[bytes, KnownFile]:
        """See ``Store``; also remembers where contents were, to recognise moves."""
        place = self.roots.place(folder)
        failed, there = self.known_failures(place), self.known_files(place)
        if outdated := failed.keys() & there.keys():  # a run was stopped before it deleted the record
            with self.batch():
                self._notes_to_delete |= {_note_key("failure", self.roots.place(path)) for path in outdated}
        found = failed | there
        self._seen |= found
        for path, file in found.items():
            if file.content is not None:
                self._places.setdefault(file.content, []).append(path)
        return found

    def paths(self, content: int) -> list[bytes]:
        """See ``Store``; as of the beginning of the run, in its folders."""
        return sorted(self._places.get(content, ()))

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        """See ``Store``; a content always has a vector, which is kept in memory until its batch."""
        photo = photo_of(digest)
        with self._lock:
            recent = self._recent.get(photo)
        if recent is None:
            recent = self.content_row(photo)
            if recent is not None:
                self._keep_recent(photo, recent)
        return (photo, True) if recent is not None and recent.digest == digest else None

    def missing(self, model: int) -> int:
        """Zero: every row has a vector."""
        return 0

    # Writing.

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See ``Store``; at the end new rows are written, then old rows are deleted."""
        try:
            yield
            with as_gallery_errors(self.address):
                self._send(self.tables.files, list(self._files.values()))
                self._send(self.tables.notes, list(self._notes.values()))
                self._delete(self.tables.notes, self._notes_to_delete - self._notes.keys())
                self._delete_files()
        finally:
            for pending in (self._files, self._notes, self._files_to_delete, self._notes_to_delete, self._facts):
                pending.clear()

    def add_folder(self, path: bytes, device: int) -> None:
        place = self.roots.place(path)
        self._note("folder", place, 0, 0, str(device))

    def remove_folder(self, path: bytes) -> None:
        place = self.roots.place(path)
        for row in self.query(f'kind == "folder" and ({_at_or_within(place)})', ["key"], notes=True, fresh=True):
            self._notes_to_delete.add(row["key"])

    def use_model(self, model: int) -> None:
        """Nothing to do: a gallery on a server has one model."""

    def add_content(self, digest: bytes, width: int, height: int, taken: str | None) -> int:
        photo = photo_of(digest)
        self._facts[photo] = (digest, width, height, taken)
        return photo

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32], lines: bytes | None = None) -> None:
        """See ``LinesStore``; an earlier vector is in memory, because ``content`` was called."""
        facts = Facts(*self._facts[content], vector.astype(np.float16), lines)
        with self._lock:
            before = self._recent.get(content)
        if before is not None and before.digest == facts.digest:
            facts = replace(before, lines=before.lines or lines)
        self._keep_recent(content, facts)

    def without_lines(self, model: int) -> set[int]:
        """See ``LinesStore``."""
        if not self.tables.keeps_lines:
            return set()
        return {row["photo"] for page in self.pages('lines == ""', ["photo"]) for row in page}

    def add_facts(self, content: int, camera: str | None, colours: bytes) -> None:
        """See ``FactsStore``; the content is in memory, because ``content`` was called."""
        with self._lock:
            before = self._recent[content]
        if before.colours is None:
            self._keep_recent(content, replace(before, camera=camera, colours=colours))

    def without_facts(self) -> set[int]:
        """See ``FactsStore``."""
        if not self.tables.keeps_facts:
            return set()
        return {row["photo"] for page in self.pages('colours == ""', ["photo"]) for row in page}

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        place = self.roots.place(path)
        if content is None:
            self._note("failure", place, size, mtime_ns, (failure or "")[:1000])
            self._mark_deleted(path, place)
            return
        self.clear_failure(path)
        self._files_to_delete.pop(key_of(place), None)
        self._files[key_of(place)] = self._row(place, size, mtime_ns, self._content(content, path))

    def set_devices(self, devices: Mapping[bytes, int]) -> None:
        """Nothing to do: a device is known by another number on each machine."""

    def clear_failure(self, path: bytes) -> None:
        """Delete the record that a file, which is good now, failed before."""
        if (seen := self._seen.get(path)) and seen.failure is not None:
            self._notes_to_delete.add(_note_key("failure", self.roots.place(path)))

    def remove_files(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            self._mark_deleted(path, self.roots.place(path))

    def remove_under(self, path: bytes) -> int:
        """Remove a file, or a folder and all in it; returns how many files."""
        place = self.roots.place(path)
        removed = 0
        for page in self.pages(_at_or_within(place), ["key"]):
            with as_gallery_errors(self.address):
                self._delete(self.tables.files, {row["key"] for row in page})
            removed += len(page)
        failed = 0
        for page in self.pages(f'kind == "failure" and ({_at_or_within(place)})', ["key"], notes=True):
            self._notes_to_delete |= {row["key"] for row in page}
            failed += len(page)
        return removed + failed

    def drop_orphans(self) -> None:
        """Nothing to do: a vector is deleted with its row."""

    def finish(self) -> None:
        """Wait until all searches see what was written, and index it."""
        for notes in (False, True):
            self.wait_until_visible(notes=notes)
        self._index_new_rows()

    # Internal.

    def _index_new_rows(self) -> None:
        """Make the server index new rows now, rather than when there are enough of them or a day later."""
        rows = self.count(fresh=True)
        with as_gallery_errors(self.address):
            indexed = int(self.client.describe_index(self.tables.files, "vector", timeout=ANSWER_S)["total_rows"])
            if rows - indexed > UNINDEXED_LIMIT:
                self.client.flush(self.tables.files, timeout=ANSWER_S)

    def _mark_deleted(self, path: bytes, place: Place) -> None:
        """Delete, at the end of the batch, the row or the record that this run saw of a file."""
        seen = self._seen.get(path)
        if seen is not None and seen.failure is None:
            self._files_to_delete[key_of(place)] = path
        elif seen is not None:
            self._notes_to_delete.add(_note_key("failure", place))

    def _keep_recent(self, photo: int, content: Facts) -> None:
        with self._lock:
            self._recent[photo] = content
            self._recent.move_to_end(photo)
            while len(self._recent) > RECENT_CONTENTS:
                self._recent.popitem(last=False)

    def _content(self, photo: int, path: bytes) -> Facts:
        with self._lock:
            recent = self._recent.get(photo)
        recent = recent or self.content_row(photo)
        if recent is None:
            raise GalleryError(
                f"another process removed {shown(path)} while it was being indexed; run the command again."
            )
        return recent

    def _row(self, place: Place, size: int, mtime_ns: int, content: Facts) -> dict[str, Any]:
        later = {
            "lines": b64encode(content.lines or b"").decode(),
            "colours": b64encode(content.colours or b"").decode(),
            "camera": content.camera or "",
        }
        return {
            "key": key_of(place),
            "root": place.root,
            "path": encoded(place.relative),
            "size": size,
            "mtime_ns": mtime_ns,
            "photo": photo_of(content.digest),
            "hash": content.digest.hex(),
            "width": content.width,
            "height": content.height,
            "taken": content.taken or "",
            "vector": content.vector.astype(np.float32),
        } | {field: later[field] for field in self.tables.later_fields}

    def _note(self, kind: str, place: Place, size: int, mtime_ns: int, text: str) -> None:
        key = _note_key(kind, place)
        self._notes[key] = {
            "key": key,
            "kind": kind,
            "root": place.root,
            "path": encoded(place.relative),
            "size": size,
            "mtime_ns": mtime_ns,
            "text": text,
            "nothing": [0.0, 0.0],
        }

    def _send(self, collection: str, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), ROWS):
            self.client.upsert(collection, rows[start : start + ROWS], timeout=ANSWER_S)

    def _delete(self, collection: str, keys: Iterable[str]) -> None:
        ordered = sorted(keys)
        for start in range(0, len(ordered), ROWS):
            self.client.delete(collection, ids=ordered[start : start + ROWS], timeout=ANSWER_S)

    def _delete_files(self) -> None:
        """Delete only rows that are still as this run saw them: another process may have written a newer one."""
        files = list(self._files_to_delete.items())
        for start in range(0, len(files), ROWS):
            part = dict(files[start : start + ROWS])
            there = self.query(f"key in {list(part)}", ["key", "size", "mtime_ns"], fresh=True)
            keys = []
            for row in there:
                seen = self._seen[part[row["key"]]]
                if (row["size"], row["mtime_ns"]) == (seen.size, seen.mtime_ns):
                    keys.append(row["key"])
            self._delete(self.tables.files, keys)


def _note_key(kind: str, place: Place) -> str:
    return f"{kind}-{key_of(place)}"


def _at_or_within(place: Place) -> str:
    itself = f'root == "{place.root}" and path == "{encoded(place.relative)}"'
    return f"({itself}) or ({within(place)})"
