"""Bring the catalogue in step with folders: look, read what is new, encode it, commit batch by batch, forget what went.

Removals come last: until then a vector whose file went away waits for the file to turn up under another name.
What results does not depend on the number of threads or the size of batches.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.paths import absolute, below
from sketchseek.gallery.reading import Reading, read_photo
from sketchseek.gallery.records import Known, ModelSet
from sketchseek.gallery.scan import scan
from sketchseek.gallery.store import Files, Store
from sketchseek.model import Model
from sketchseek.wording import shown

log = logging.getLogger(__name__)

HELD_BYTES = 256 * 2**20  # decoded photos waiting for the model
COMMIT_FILES = 512  # files that need no encoding are committed in batches of this many


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be taken in, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class Report:
    """What a run did. Files found = added + updated + moved + unchanged + failed."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` files that had to be opened, ``encoded`` of them by the model.

    ``workers``: photos a second of each worker process, where there are several.
    """

    done: int
    total: int
    encoded: int
    failed: int
    seconds: float
    workers: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What looking at the folders gave.

    ``waiting``: files to open, in path order; ``vanished``: known ones that were not seen.
    """

    waiting: list[bytes]
    known: dict[bytes, Known]
    vanished: set[bytes]


class Ingestion:
    """One run over ``folders`` with one model."""

    def __init__(
        self,
        catalogue: Store,
        model: Model,
        model_set: ModelSet,
        *,
        batch: int,
        threads: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.catalogue, self.model, self.model_set = catalogue, model, model_set
        self.batch, self.threads, self.progress = batch, threads, progress
        self.report = Report()
        self._encoded = self._done = 0

    def run(self, folders: Iterable[bytes], *, retry: bool) -> Report:
        """``retry``: open files again that failed before, though they have not changed."""
        self._start = time.perf_counter()
        plan = self._look(list(folders), retry)
        self._total = len(plan.waiting)
        self._tell()
        self._take_in(plan)
        self._finish(plan)
        self.report.removed = len(plan.vanished)
        self.report.failed.sort(key=lambda failure: os.fsencode(failure.path))
        self.report.seconds = time.perf_counter() - self._start
        return self.report

    def _take_in(self, plan: Plan) -> None:
        """Read, encode and write what waits, batch by batch."""
        pending: list[Reading] = []
        pixels = 0
        for reading in self._readings(plan.waiting):
            pending.append(reading)
            pixels += reading.pixels is not None
            if pixels == self.batch or len(pending) == COMMIT_FILES:
                self._commit(pending, plan)
                pending, pixels = [], 0
        self._commit(pending, plan)

    def _look(self, folders: list[bytes], retry: bool) -> Plan:
        """Compare the folders with the catalogue."""
        recorded = self.catalogue.folders()
        # Folders added inside these are looked at too: some, hidden ones say, are reached in no other way.
        inside = [path for path in recorded for folder in folders if _within(path, folder) and os.path.isdir(path)]  # noqa: PTH112
        # What is known first, then what is there: a photo that another indexer adds meanwhile is not taken for gone.
        known: dict[bytes, Known] = {}
        for folder in folders:
            known |= self.catalogue.known(folder, self.model_set.row)
        found = scan([*folders, *inside], skip=[self.catalogue.folder])
        devices = {folder: _device(folder) for folder in folders}
        for folder, device in devices.items():
            if recorded.get(folder, device) != device and not any(_within(path, folder) for path in found.files):
                found.blocked[folder] = "the folder is empty and on another device than before (is its drive mounted?)"
        for path, reason in found.blocked.items():
            self._fail(path, f"{reason}; the photos known in it are kept")
        vanished = known.keys() - found.files.keys()
        for blocked in found.blocked:
            vanished = {path for path in vanished if not _within(path, blocked)}
        new = {
            path: device
            for path, device in devices.items()
            if path not in found.blocked and recorded.get(path) != device
        }
        if new:
            with self.catalogue.batch():
                for path, device in new.items():
                    self.catalogue.add_folder(path, device)
        waiting = [path for path, seen in found.files.items() if self._must_open(path, seen, known.get(path), retry)]
        return Plan(sorted(waiting), known, vanished)

    def _must_open(self, path: bytes, seen: tuple[int, int], before: Known | None, retry: bool) -> bool:
        """Whether a file has to be opened; if not, it is counted."""
        if before is None or before[:2] != seen:
            return True
        if before.failure is not None:
            if not retry:
                self._fail(path, before.failure)
            return retry
        self.report.unchanged += before.encoded
        return not before.encoded

    def _readings(self, paths: list[bytes]) -> Iterator[Reading]:
        """Read and decode in threads ahead of the model, in order, while what waits stays small."""
        waiting, running = deque(paths), deque[Future[Reading]]()
        pool = ThreadPoolExecutor(self.threads, "decode")
        try:
            while waiting or running:
                while waiting and len(running) < self.threads + 2 * self.batch and _held(running) < HELD_BYTES:
                    running.append(pool.submit(read_photo, waiting.popleft(), self.model.photo_side, self._wanted))
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _wanted(self, digest: bytes) -> bool:
        found = self.catalogue.content(digest, self.model_set.row)
        return found is None or not found[1]

    def _commit(self, readings: list[Reading], plan: Plan) -> None:
        """Encode what has pixels, then write the whole batch in one transaction."""
        # Asked again: a copy decoded ahead of its twin's commit need not be encoded after it.
        decoded = {reading.digest: reading for reading in readings if reading.pixels is not None}
        fresh = [reading for digest, reading in decoded.items() if self._wanted(digest)]
        pixels = [reading.pixels for reading in fresh if reading.pixels is not None]
        vectors = self.model.encode_photos(pixels) if pixels else ()
        with self.catalogue.batch():
            for reading, vector in zip(fresh, vectors, strict=True):
                content = self.catalogue.add_content(reading.digest, reading.width, reading.height, reading.taken)
                self.catalogue.add_vector(self.model_set.row, content, vector)
            for reading in readings:
                self._record(reading, plan)
        self._encoded += len(fresh)
        self._done += len(readings)
        self._tell()

    def _record(self, reading: Reading, plan: Plan) -> None:
        path = reading.path
        if reading.gone:  # between the look and the opening
            if path in plan.known:
                plan.vanished.add(path)
            return
        if reading.failure is not None:
            mtime_ns = -1 if reading.again else reading.mtime_ns  # no file has this time: the next run looks again
            self.catalogue.set_file(path, reading.size, mtime_ns, None, reading.failure)
            self._fail(path, reading.failure)
            return
        found = self.catalogue.content(reading.digest, self.model_set.row)
        assert found is not None, "a reading without pixels has a content"
        before = plan.known.get(path)
        moved_from = (
            next((old for old in self.catalogue.paths(found[0]) if old in plan.vanished), None)
            if before is None
            else None
        )
        self.catalogue.set_file(path, reading.size, reading.mtime_ns, found[0], None)
        if moved_from is not None:
            plan.vanished.discard(moved_from)
            self.catalogue.remove_files([moved_from])
            self.report.moved += 1
        elif before is None or (before.content == found[0] and not before.encoded):
            self.report.added += 1  # to the gallery, or to this model's set of vectors
        elif before.content == found[0]:
            self.report.unchanged += 1  # only its time had changed
        else:
            self.report.updated += 1

    def _finish(self, plan: Plan) -> None:
        """Forget what went; let this model answer from now on if its set is whole.

        Where nothing changed, nothing is written.
        """
        if plan.vanished or plan.waiting:
            with self.catalogue.batch():
                self.catalogue.remove_files(plan.vanished)
                self.catalogue.drop_orphans()
        current = self.catalogue.current_model()
        if current and current.used and current.row == self.model_set.row:
            return
        if missing := self.catalogue.missing(self.model_set.row):
            answers = current.name if current and current.used else self.model_set.name
            log.warning(
                "%d photos of other folders have no vectors of %s yet: index those folders with it too; until then "
                "searches that name no model use %s",
                missing,
                self.model_set.name,
                answers,
            )
            return
        with self.catalogue.batch():
            self.catalogue.use_model(self.model_set.row)

    def _fail(self, path: bytes, reason: str) -> None:
        self.report.failed.append(Failure(Path(os.fsdecode(path)), reason))

    def _tell(self) -> None:
        if self.progress:
            seconds = time.perf_counter() - self._start
            self.progress(Progress(self._done, self._total, self._encoded, len(self.report.failed), seconds))


def checked_folders(folders: Iterable[str | os.PathLike[str]], catalogue: Files) -> list[bytes]:
    """Absolute paths; one sentence if one of them is no folder that can be listed."""
    checked = []
    for folder in folders:
        path = absolute(folder)
        try:
            with os.scandir(path):
                checked.append(path)
        except OSError as error:
            kept = len(catalogue.known(path, 0))
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
    return os.stat(folder).st_dev  # noqa: PTH116 - paths are bytes here


def _held(running: deque[Future[Reading]]) -> int:
    results = (future.result() for future in running if future.done() and not future.exception())
    return sum(reading.pixels.nbytes for reading in results if reading.pixels is not None)
