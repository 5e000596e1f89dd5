"""Writing a gallery on a server, batch by batch: what ``ingest`` needs of a store.

Rows carry everything, so nothing is ever half there: a batch's new rows go first, then what they replace goes.
Several indexers may write at once: whatever they both do, they do alike.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.reader import Reader, within
from sketchseek.gallery.milvus.server import ANSWER_S, plain_words
from sketchseek.gallery.milvus.tables import Tables, key_of, photo_of
from sketchseek.gallery.records import Facts, Known
from sketchseek.gallery.roots import Place, Roots, encoded
from sketchseek.wording import shown

HELD = 16_384  # contents at hand: more than can wait between the look at a file and its batch, or than searches lag
ROWS = 1000  # in one call
EXACT = 4096  # new rows that a server looks at one by one; above 128 * 39 it has a coarse index of its own for them


class MilvusWriter(Reader):
    """Between ``batch`` blocks nothing is written."""

    def __init__(self, client: Any, address: Address, tables: Tables, roots: Roots) -> None:
        super().__init__(client, address, tables, roots)
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Facts] = OrderedDict()
        self._facts: dict[int, tuple[bytes, int, int, str | None]] = {}
        self._seen: dict[bytes, Known] = {}
        self._places: dict[int, list[bytes]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._notes: dict[str, dict[str, Any]] = {}
        self._gone_files: dict[str, bytes] = {}
        self._gone_notes: set[str] = set()

    # What is known, kept at hand for the run.

    def known(self, folder: bytes, model: int) -> dict[bytes, Known]:
        """All files under a folder; remembers where contents were, for moves."""
        place = self.roots.place(folder)
        failed, there = self.known_failures(place), self.known_files(place)
        if outdated := failed.keys() & there.keys():  # a run died between the file's row and its note
            with self.batch():
                self._gone_notes |= {_note_key("failure", self.roots.place(path)) for path in outdated}
        found = failed | there
        self._seen |= found
        for path, file in found.items():
            if file.content is not None:
                self._places.setdefault(file.content, []).append(path)
        return found

    def paths(self, content: int) -> list[bytes]:
        """Where a content was when the run began, in the folders of the run."""
        return sorted(self._places.get(content, ()))

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        """(number, True) of a content whose vector is there; the vector is held until its batch."""
        photo = photo_of(digest)
        with self._lock:
            held = self._held.get(photo)
        if held is None:
            held = self.content_row(photo)
            if held is not None:
                self._hold(photo, held)
        return (photo, True) if held is not None and held.digest == digest else None

    def missing(self, model: int) -> int:
        """None: a row has its vector."""
        return 0

    # Writing.

    @contextmanager
    def batch(self) -> Iterator[None]:
        """What is written inside goes to the server at the end: new rows, then what goes."""
        try:
            yield
            with plain_words(self.address):
                self._send(self.tables.files, list(self._files.values()))
                self._send(self.tables.notes, list(self._notes.values()))
                self._forget(self.tables.notes, self._gone_notes - self._notes.keys())
                self._forget_files()
        finally:
            for waiting in (self._files, self._notes, self._gone_files, self._gone_notes, self._facts):
                waiting.clear()

    def add_folder(self, path: bytes, device: int) -> None:
        place = self.roots.place(path)
        self._note("folder", place, 0, 0, str(device))

    def forget_folder(self, path: bytes) -> None:
        place = self.roots.place(path)
        for row in self.query(f'kind == "folder" and ({_at_or_within(place)})', ["key"], notes=True, fresh=True):
            self._gone_notes.add(row["key"])

    def use_model(self, model: int) -> None:
        """Nothing to do: a gallery on a server has one model."""

    def add_content(self, digest: bytes, width: int, height: int, taken: str | None) -> int:
        photo = photo_of(digest)
        self._facts[photo] = (digest, width, height, taken)
        return photo

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32]) -> None:
        self._hold(content, Facts(*self._facts[content], vector.astype(np.float16)))

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        place = self.roots.place(path)
        if content is None:
            self._note("failure", place, size, mtime_ns, (failure or "")[:1000])
            self._leave(path, place)
            return
        self.leave_failure(path)
        self._gone_files.pop(key_of(place), None)
        self._files[key_of(place)] = self._row(place, size, mtime_ns, self._content(content, path))

    def leave_failure(self, path: bytes) -> None:
        """A file is good now; if it failed before, that goes."""
        if (seen := self._seen.get(path)) and seen.failure is not None:
            self._gone_notes.add(_note_key("failure", self.roots.place(path)))

    def remove_files(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            self._leave(path, self.roots.place(path))

    def remove_under(self, path: bytes) -> int:
        """A file, or a folder and all in it; how many files."""
        place = self.roots.place(path)
        removed = 0
        for page in self.pages(_at_or_within(place), ["key"]):
            with plain_words(self.address):
                self._forget(self.tables.files, {row["key"] for row in page})
            removed += len(page)
        failed = 0
        for page in self.pages(f'kind == "failure" and ({_at_or_within(place)})', ["key"], notes=True):
            self._gone_notes |= {row["key"] for row in page}
            failed += len(page)
        return removed + failed

    def drop_orphans(self) -> None:
        """Nothing to do: a vector goes with its row."""

    def finish(self) -> None:
        """After this, everybody's searches see what was written."""
        for notes in (False, True):
            self.settle(notes=notes)
        self._seal()

    # Inside.

    def _seal(self) -> None:
        """Have the server index what is new as the address says, now rather than when it has enough or a day later."""
        rows = self.count(fresh=True)
        with plain_words(self.address):
            sealed = int(self.client.describe_index(self.tables.files, "vector", timeout=ANSWER_S)["total_rows"])
            if rows - sealed > EXACT:
                self.client.flush(self.tables.files, timeout=ANSWER_S)

    def _leave(self, path: bytes, place: Place) -> None:
        """Take away what this run saw of a file."""
        seen = self._seen.get(path)
        if seen is not None and seen.failure is None:
            self._gone_files[key_of(place)] = path
        elif seen is not None:
            self._gone_notes.add(_note_key("failure", place))

    def _hold(self, photo: int, content: Facts) -> None:
        with self._lock:
            self._held[photo] = content
            self._held.move_to_end(photo)
            while len(self._held) > HELD:
                self._held.popitem(last=False)

    def _content(self, photo: int, path: bytes) -> Facts:
        with self._lock:
            held = self._held.get(photo)
        held = held or self.content_row(photo)
        if held is None:
            raise GalleryError(
                f"somebody else removed {shown(path)} while it was being indexed; run the command again."
            )
        return held

    def _row(self, place: Place, size: int, mtime_ns: int, content: Facts) -> dict[str, Any]:
        return {
            "key": key_of(place),
            "root": place.root,
            "path": encoded(place.way),
            "size": size,
            "mtime_ns": mtime_ns,
            "photo": photo_of(content.digest),
            "hash": content.digest.hex(),
            "width": content.width,
            "height": content.height,
            "taken": content.taken or "",
            "vector": content.vector.astype(np.float32),
        }

    def _note(self, kind: str, place: Place, size: int, mtime_ns: int, text: str) -> None:
        key = _note_key(kind, place)
        self._notes[key] = {
            "key": key,
            "kind": kind,
            "root": place.root,
            "path": encoded(place.way),
            "size": size,
            "mtime_ns": mtime_ns,
            "text": text,
            "nothing": [0.0, 0.0],
        }

    def _send(self, collection: str, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), ROWS):
            self.client.upsert(collection, rows[start : start + ROWS], timeout=ANSWER_S)

    def _forget(self, collection: str, keys: Iterable[str]) -> None:
        several = sorted(keys)
        for start in range(0, len(several), ROWS):
            self.client.delete(collection, ids=several[start : start + ROWS], timeout=ANSWER_S)

    def _forget_files(self) -> None:
        """Only rows that are still as this run saw them: what another indexer has written since is newer."""
        doomed = list(self._gone_files.items())
        for start in range(0, len(doomed), ROWS):
            part = dict(doomed[start : start + ROWS])
            there = self.query(f"key in {list(part)}", ["key", "size", "mtime_ns"], fresh=True)
            keys = []
            for row in there:
                seen = self._seen[part[row["key"]]]
                if (row["size"], row["mtime_ns"]) == (seen.size, seen.mtime_ns):
                    keys.append(row["key"])
            self._forget(self.tables.files, keys)


def _note_key(kind: str, place: Place) -> str:
    return f"{kind}-{key_of(place)}"


def _at_or_within(place: Place) -> str:
    itself = f'root == "{place.root}" and path == "{encoded(place.way)}"'
    return f"({itself}) or ({within(place)})"
