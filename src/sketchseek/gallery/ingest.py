"""Update a store to what is in folders: scan, read and encode new files, commit in batches, remove missing files.

Removals come last, because until then a missing file may turn up under another name, and its vector can be reused.
The result does not depend on the number of threads or the size of batches.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.gallery.drives import Drives
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.paths import AnyPath, absolute, as_list, below
from sketchseek.gallery.read_ahead import MEMORY, batches_of_readings
from sketchseek.gallery.reading import Reading
from sketchseek.gallery.records import KnownFile, ModelSet
from sketchseek.gallery.scan import FoundFile, device_of, scan
from sketchseek.gallery.store_protocols import KnownFiles, Store, keeps_facts, keeps_lines
from sketchseek.model import Model, has_lines
from sketchseek.pictures.errors import may_open_now
from sketchseek.wording import counted, shown

log = logging.getLogger(__name__)

Encoded = tuple[Reading, NDArray[np.float32], bytes | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be indexed, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class Report:
    """What a run did. Files found = added + updated + moved + unchanged + failed.

    ``completed``: how many of the unchanged were opened for what an earlier run did not keep, such as outlines.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    completed: int = 0
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` files to open, ``encoded`` of them by the model.

    ``workers``: photos per second of each worker process, if there are several.
    """

    done: int
    total: int
    encoded: int
    failed: int
    seconds: float
    workers: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What to do, from comparing the folders with the store.

    ``to_open``: new and changed files, and those that lack outlines or facts, in path order. ``not_found``: known files
    that were deleted. ``to_complete``: those of ``to_open`` that have not changed, and have their vector.
    """

    to_open: list[bytes]
    known: dict[bytes, KnownFile]
    not_found: set[bytes]
    drives: Drives = field(default_factory=lambda: Drives({}, {}))
    to_complete: set[bytes] = field(default_factory=set)


class Ingestion:
    """One run over ``folders`` with one model."""

    def __init__(
        self,
        store: Store,
        model: Model,
        model_set: ModelSet,
        *,
        batch: int,
        threads: int,
        progress: Callable[[Progress], None] | None,
        memory: int | None = None,
    ) -> None:
        """``memory``: bytes for photos on their way to the model, beside the model itself; default ``MEMORY``."""
        self.store, self.model, self.model_set = store, model, model_set
        self.batch, self.threads, self.progress, self.memory = batch, threads, progress, memory or MEMORY
        self.report = Report()
        self._may_open_now = cache(may_open_now)  # the same few reasons for thousands of files
        self._encoded = self._done = 0
        # Contents whose vector is kept, but not yet their outlines or facts; each is removed when it is given them.
        self._without_lines, self._without_facts = set[int](), set[int]()
        if has_lines(model) and keeps_lines(store):
            self._without_lines = store.without_lines(model_set.row)
        if keeps_facts(store):
            self._without_facts = store.without_facts()
        self._incomplete = self._without_lines | self._without_facts

    def run(self, folders: Iterable[bytes], *, retry: bool) -> Report:
        """``retry``: open files that failed before again, even if they have not changed.

        Those that lacked a decoder which is here now are opened in any case.
        """
        self._start = time.perf_counter()
        plan = self._plan(list(folders), retry)
        self._total = len(plan.to_open)
        self._report_progress()
        self._index_files(plan)
        self._finish(plan)
        self.report.removed = len(plan.not_found)
        self.report.failed.sort(key=lambda failure: os.fsencode(failure.path))
        self.report.seconds = time.perf_counter() - self._start
        return self.report

    def _index_files(self, plan: Plan) -> None:
        """Read, encode and write the files to open, in batches."""
        for readings in batches_of_readings(
            plan.to_open,
            side=self.model.photo_side,
            needs_pixels=self._needs_pixels,
            batch=self.batch,
            threads=self.threads,
            memory=self.memory,
        ):
            self._commit(readings, plan)

    def _plan(self, folders: list[bytes], retry: bool) -> Plan:
        """Compare the folders with the store."""
        recorded = self.store.folders()
        # Folders that were added inside these are scanned too: a hidden one, for example, is not reached otherwise.
        inside = [path for path in recorded for folder in folders if _within(path, folder) and os.path.isdir(path)]  # noqa: PTH112
        # Read the store before the disk, so that a photo that another process adds meanwhile does not count as missing.
        known: dict[bytes, KnownFile] = {}
        for folder in folders:
            known |= self.store.known(folder, self.model_set.row)
        found = scan([*folders, *inside], skip=[self.store.folder])
        devices = {folder: _device(folder) for folder in folders}
        for folder, device in devices.items():
            if recorded.get(folder, device) != device and not any(_within(path, folder) for path in found.files):
                found.blocked[folder] = "the folder is empty and on another device than before (is its drive mounted?)"
        for path, reason in found.blocked.items():
            self._add_failure(path, f"{reason}; its photos are kept")
        vanished = known.keys() - found.files.keys()
        for blocked in found.blocked:
            vanished = {path for path in vanished if not _within(path, blocked)}
        drives = Drives(known, found.files)
        for folder, count in drives.away(vanished):
            self._add_failure(
                folder,
                f"the drive of {counted(count, 'file')} here is not mounted; they are kept, and `sketchseek gallery "
                "forget` removes them",
            )
        vanished = {path for path in vanished if drives.is_deleted(path)}
        new = {
            path: device
            for path, device in devices.items()
            if path not in found.blocked and recorded.get(path) != device
        }
        moved = drives.changed()
        if new or moved:
            with self.store.batch():
                for path, device in new.items():
                    self.store.add_folder(path, device)
                self.store.set_devices(moved)
        waiting = [path for path, seen in found.files.items() if self._must_open(path, seen, known.get(path), retry)]
        to_complete = {
            path
            for path in waiting
            if (before := known.get(path))
            and before.encoded
            and before.content in self._incomplete
            and before[:2] == found.files[path][:2]
        }
        return Plan(sorted(waiting), known, vanished, drives, to_complete)

    def _must_open(self, path: bytes, seen: FoundFile, before: KnownFile | None, retry: bool) -> bool:
        """Whether a file has to be opened; if not, it is counted here."""
        if before is None or before[:2] != seen[:2]:
            return True
        if before.failure is not None:
            again = retry or self._may_open_now(before.failure)
            if not again:
                self._add_failure(path, before.failure)
            return again
        if not before.encoded or before.content in self._incomplete:
            return True
        self.report.unchanged += 1
        return False

    def _needs_pixels(self, digest: bytes) -> bool:
        found = self.store.content(digest, self.model_set.row)
        return found is None or not found[1] or found[0] in self._without_lines or found[0] in self._without_facts

    def _needs_encoding(self, digest: bytes) -> bool:
        found = self.store.content(digest, self.model_set.row)
        return found is None or not found[1] or found[0] in self._without_lines

    def _commit(self, readings: list[Reading], plan: Plan) -> None:
        """Encode what has pixels, then write the whole batch in one transaction."""
        # Checked again, because a copy of the same photo may have been committed since this one was decoded.
        decoded = {reading.digest: reading for reading in readings if reading.pixels is not None}
        fresh = [reading for digest, reading in decoded.items() if self._needs_encoding(digest)]
        encoded, failed = self._encode(fresh)
        with self.store.batch():
            for reading, vector, lines in encoded:
                content = self.store.add_content(reading.digest, reading.width, reading.height, reading.taken)
                if lines is not None and keeps_lines(self.store):
                    self.store.add_vector(self.model_set.row, content, vector, lines)
                    self._without_lines.discard(content)
                else:
                    self.store.add_vector(self.model_set.row, content, vector)
            for reading in decoded.values():
                self._add_facts(reading)
            for reading in readings:
                if reading.pixels is not None and reading.digest in failed:
                    # The next run tries again: the fault is the model's, or memory was short.
                    reading.failure, reading.temporary, reading.width = failed[reading.digest], True, 0
                self._record(reading, plan)
            self.store.set_devices(plan.drives.devices(reading.path for reading in readings))
        self._encoded += len(encoded)
        self._done += len(readings)
        self._report_progress()

    def _add_facts(self, reading: Reading) -> None:
        """Keep what the file itself tells, if the store can and the photo is in it."""
        found = self.store.content(reading.digest, self.model_set.row)
        if found is not None and reading.colours is not None and keeps_facts(self.store):
            self.store.add_facts(found[0], reading.camera, reading.colours)
            self._without_facts.discard(found[0])

    def _encode(self, readings: list[Reading]) -> tuple[list[Encoded], dict[bytes, str]]:
        """(readings with their vectors (size,) and outlines, digests of the others and why).

        If a batch fails, each of its photos is encoded alone, so that a bad one does not stop the rest.
        """
        if not readings:
            return [], {}
        try:
            vectors, lines = self._run_model([reading.pixels for reading in readings if reading.pixels is not None])
            return list(zip(readings, vectors, lines, strict=True)), {}
        except OSError:  # of the machine (a full disk): not of any photo
            raise
        except Exception as error:
            if isinstance(error, SketchseekError) and not self._model_works():
                raise
            if len(readings) == 1:
                return [], {readings[0].digest: f"the model cannot encode it ({error_line(error)})"}
        encoded, failed = list[Encoded](), dict[bytes, str]()
        for reading in readings:
            good, bad = self._encode([reading])
            encoded += good
            failed |= bad
        return encoded, failed

    def _run_model(self, pixels: list[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], list[bytes | None]]:
        """Vectors (n, size) of photos, and their outlines if the model and the store have them."""
        lines: list[bytes | None] = [None] * len(pixels)
        if has_lines(self.model) and keeps_lines(self.store):
            vectors, packed = self.model.encode_photos_with_lines(pixels)
            if packed.shape != (len(pixels), self.model.line_bytes) or packed.dtype != np.uint8:
                raise ValueError("its outlines are not bytes of the right number")
            lines = [row.tobytes() for row in packed]
        else:
            vectors = self.model.encode_photos(pixels)
        if vectors.shape != (len(pixels), self.model.size) or not np.isfinite(vectors).all():
            raise ValueError("its vectors are not finite numbers of the right shape")
        return vectors, lines

    def _model_works(self) -> bool:
        """Whether the model can encode a grey picture: if so, its error was about the photos."""
        try:
            self._run_model([np.full((self.model.photo_side, self.model.photo_side, 3), 128, np.uint8)])
        except SketchseekError:
            return False
        return True

    def _record(self, reading: Reading, plan: Plan) -> None:
        path = reading.path
        if reading.gone:  # removed between the scan and the reading
            if path in plan.known and plan.drives.is_deleted(path):
                plan.not_found.add(path)
            return
        before = plan.known.get(path)
        if reading.failure is not None and before is not None and self._is_kept(reading, before, plan):
            self._add_failure(path, f"{reading.failure}; it is kept as it was")
            return
        if reading.failure is not None:
            mtime_ns = -1 if reading.temporary else reading.mtime_ns  # no file has time -1: the next run opens it
            self.store.set_file(path, reading.size, mtime_ns, None, reading.failure)
            self._add_failure(path, reading.failure)
            return
        found = self.store.content(reading.digest, self.model_set.row)
        assert found is not None, "a file that was read without pixels has a known content"
        moved_from = (
            next((old for old in self.store.paths(found[0]) if old in plan.not_found), None) if before is None else None
        )
        self.store.set_file(path, reading.size, reading.mtime_ns, found[0], None)
        if moved_from is not None:
            plan.not_found.discard(moved_from)
            self.store.remove_files([moved_from])
            self.report.moved += 1
        elif before is None or (before.content == found[0] and not before.encoded):
            self.report.added += 1  # to the gallery, or to this model's set of vectors
        elif before.content == found[0]:
            self.report.unchanged += 1  # only its time had changed, or it lacked something
            self.report.completed += path in plan.to_complete
        else:
            self.report.updated += 1

    def _is_kept(self, reading: Reading, before: KnownFile, plan: Plan) -> bool:
        """Whether a file that failed has not changed since its vector was made, and was opened to complete it."""
        if reading.path not in plan.to_complete:
            return False
        found = self.store.content(reading.digest, self.model_set.row) if reading.digest else None
        return not reading.digest or (found is not None and found[0] == before.content)

    def _finish(self, plan: Plan) -> None:
        """Remove missing files; make this model the default if every photo has its vector.

        If nothing changed, nothing is written.
        """
        if plan.not_found or plan.to_open:
            with self.store.batch():
                self.store.remove_files(plan.not_found)
                self.store.drop_orphans()
        current = self.store.current_model()
        if current and current.used and current.row == self.model_set.row:
            return
        if missing := self.store.missing(self.model_set.row):
            default = current.name if current and current.used else self.model_set.name
            log.warning(
                "%d photos of other folders have no vectors of %s yet: index those folders with it too; until then "
                "searches without --model use %s",
                missing,
                self.model_set.name,
                default,
            )
            return
        with self.store.batch():
            self.store.use_model(self.model_set.row)

    def _add_failure(self, path: bytes, reason: str) -> None:
        self.report.failed.append(Failure(Path(os.fsdecode(path)), reason))

    def _report_progress(self) -> None:
        if self.progress:
            seconds = time.perf_counter() - self._start
            self.progress(Progress(self._done, self._total, self._encoded, len(self.report.failed), seconds))


def checked_folders(folders: AnyPath | Sequence[AnyPath] | None, store: KnownFiles) -> list[bytes]:
    """The folders to index, as absolute paths: ``folders``, or all that were indexed before on this machine.

    Raises an error if one of them is not a folder that can be listed.
    """
    paths = list(store.folders()) if folders is None else [absolute(folder) for folder in as_list(folders)]
    if folders is None and not paths:
        where = shown(store.folder)
        raise GalleryError(f"the gallery {where} knows no folders on this machine yet; name one to index.")
    checked = []
    for path in paths:
        if isinstance(store.folder, Path) and _within(os.path.realpath(path), os.fsencode(store.folder.resolve())):
            raise GalleryError(
                f"the folder {shown(path)} is the gallery, or inside it, where no photos are looked for; keep the "
                "gallery elsewhere with --gallery."
            )
        try:
            with os.scandir(path):
                checked.append(path)
        except OSError as error:
            kept = len(store.known(path, 0))
            hint = f"; its {kept:,} photos are kept, and `sketchseek gallery forget` removes them" if kept else ""
            what = (
                "is a file; name the folder it is in"
                if isinstance(error, NotADirectoryError)
                else f"cannot be listed ({error.strerror})"
            )
            raise GalleryError(f"the folder {shown(path)} {what}{hint}.") from None
    return checked


def _within(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(below(folder)[0])


def _device(folder: bytes) -> int:
    return device_of(os.stat(folder))  # noqa: PTH116 - paths are bytes here


def error_line(error: Exception) -> str:
    """The first line of an exception's text, or its kind."""
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
