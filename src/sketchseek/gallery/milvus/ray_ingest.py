"""Index with a Ray cluster: the driver scans folders, workers read, encode and write.

Each worker loads the model once and writes whole rows under keys that come from the files, so a batch that is done
twice, for example because a worker died, gives the same rows. The driver counts, writes failures and, at the end,
removes missing files. Workers find the photos under the roots of the driver's machine, unless their own
$SKETCHSEEK_ROOTS names others; they take the server's token from their own environment.
"""

import logging
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.errors import SketchseekError
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.ingest import Ingestion, Plan, Progress
from sketchseek.gallery.milvus.address import parse
from sketchseek.gallery.milvus.server import connect
from sketchseek.gallery.milvus.tables import Tables, photo_of
from sketchseek.gallery.milvus.writer import MilvusWriter
from sketchseek.gallery.reading import Reading
from sketchseek.gallery.roots import Place, Roots, decoded, encoded, named
from sketchseek.installation import extra_command
from sketchseek.model import Model

LOCAL = "local"
TASK = 128  # files per task of a worker: a task is repeated if its worker dies
CORES = 2  # per worker without a GPU
# Workers return little, so a small object store is enough; no web page.
LOCAL_OPTIONS: Mapping[str, Any] = {"include_dashboard": False, "object_store_memory": 256 * 2**20}


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs. ``model``: a model that can be pickled, or a name that each worker loads by itself."""

    address: str
    tables: Tables
    roots: Mapping[str, str]
    model: Model | str
    identity: str
    batch: int
    gpu: bool


class Worker:
    """Reads, encodes and writes files, in a process of its own, perhaps on another machine."""

    def __init__(self, job: Job, threads: int) -> None:
        self.name = f"{os.uname().nodename}:{os.getpid()}"
        # Only the roots of this run: with another root inside them, the same file would get another key.
        own = {name: folder for name, folder in named().items() if name in job.roots}
        address, roots = parse(job.address), Roots({**job.roots, **own})
        model = _load(job.model, threads, job.gpu) if isinstance(job.model, str) else job.model
        if model.identity != job.identity:
            raise GalleryError(
                f"the worker {self.name} has a different model named {model.name}; copy the same model to it."
            )
        if absent := [name for name in job.roots if not Path(os.fsdecode(roots.folders[name])).is_dir()]:
            raise GalleryError(
                f"the worker {self.name} does not have the folder of the root {absent[0]}; mount it there, or name "
                "its folder in that machine's $SKETCHSEEK_ROOTS."
            )
        writer = MilvusWriter(connect(address), address, job.tables, roots)
        self.ingestion = _WorkerIngestion(
            writer, model, job.tables.model, batch=job.batch, threads=threads, progress=None
        )

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Columns ``root`` and ``relative`` of files -> the outcome of each, in columns."""
        roots = self.ingestion.writer.roots
        files = zip(task["root"], task["relative"], strict=True)
        places = [Place(root, decoded(relative) or b"") for root, relative in files]
        readings = {reading.path: reading for reading in self.ingestion.index([roots.path(place) for place in places])}
        found = [readings[roots.path(place)] for place in places]
        return {
            "root": task["root"],
            "relative": task["relative"],
            "size": np.array([reading.size for reading in found], np.int64),
            "mtime_ns": np.array([reading.mtime_ns for reading in found], np.int64),
            "digest": np.array([reading.digest.hex() for reading in found], object),
            "encoded": np.array([reading.width > 0 for reading in found]),
            "failure": np.array([reading.failure or "" for reading in found], object),
            "temporary": np.array([reading.temporary for reading in found]),
            "gone": np.array([reading.gone for reading in found]),
            "worker": np.array([self.name] * len(found), object),
        }


class _WorkerIngestion(Ingestion):
    """The part of a run in one worker: it writes good files and leaves failed and missing ones to the driver."""

    @property
    def writer(self) -> MilvusWriter:
        assert isinstance(self.store, MilvusWriter)
        return self.store

    def index(self, paths: list[bytes]) -> list[Reading]:
        """The outcome of each file."""
        self.outcomes: list[Reading] = []
        self._index_files(Plan(paths, {}, set()))
        return self.outcomes

    def _record(self, reading: Reading, plan: Plan) -> None:
        if not (reading.gone or reading.failure):
            self.writer.set_file(reading.path, reading.size, reading.mtime_ns, photo_of(reading.digest), None)
        self.outcomes.append(replace(reading, pixels=None))

    def _report_progress(self) -> None:
        """Nothing: the driver reports the progress."""


class RayIngestion(Ingestion):
    """A run over folders with a cluster. This is the driver; workers read and encode."""

    def __init__(
        self, writer: MilvusWriter, job: Job, ray_address: str, workers: int | None, model: Model, **more: Any
    ) -> None:
        super().__init__(_DriverWriter(writer), model, job.tables.model, batch=job.batch, threads=1, **more)
        self.job, self.ray_address, self.workers = job, ray_address, workers
        self.rates: dict[str, float] = {}

    def _index_files(self, plan: Plan) -> None:
        if not plan.to_open:
            return
        roots = Roots(self.job.roots)
        places = [roots.place(path) for path in plan.to_open]
        used = {place.root for place in places}
        job = replace(self.job, roots={name: folder for name, folder in self.job.roots.items() if name in used})
        done: Counter[str] = Counter()
        began = time.perf_counter()
        with cluster(self.ray_address) as ray:
            for columns in _results(ray, job, places, self.workers):
                readings = [self._checked(reading) for reading in _readings(columns, roots)]
                with self.store.batch():
                    for reading in readings:
                        self._record(reading, plan)
                done.update(columns["worker"].tolist())
                self.rates = {name: count / (time.perf_counter() - began) for name, count in done.items()}
                self._encoded += int(columns["encoded"].sum())
                self._done += len(readings)
                self._report_progress()

    def _checked(self, reading: Reading) -> Reading:
        """A file that is missing only on the worker is a failure: it still exists."""
        if reading.gone and os.path.lexists(reading.path):
            return replace(
                reading, gone=False, failure="a worker cannot find it; is its folder mounted there?", temporary=True
            )
        return reading

    def _report_progress(self) -> None:
        if self.progress:
            seconds = time.perf_counter() - self._start
            failed = len(self.report.failed)
            self.progress(Progress(self._done, self._total, self._encoded, failed, seconds, dict(self.rates)))


class _DriverWriter(MilvusWriter):
    """The writer of the driver: it skips good files, which the workers have written."""

    def __init__(self, writer: MilvusWriter) -> None:
        super().__init__(writer.client, writer.address, writer.tables, writer.roots)

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        return photo_of(digest), True

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        if content is None:
            super().set_file(path, size, mtime_ns, content, failure)
        else:
            self.clear_failure(path)


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster, or started on this machine until the end of the block."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise GalleryError(f"indexing with Ray requires ray; run: {extra_command('ray')}") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it logs every execution plan
    own = not ray.is_initialized()
    if own:
        _check_reachable(address)
        where = LOCAL_OPTIONS if address == LOCAL else {"address": address}
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **where)
        except Exception as error:  # Ray raises plain Exceptions too
            raise _no_cluster(address, error) from None
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise an error if nothing listens at the address; Ray itself would wait for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _no_cluster(address, error) from None


def _no_cluster(address: str, error: BaseException) -> GalleryError:
    return GalleryError(
        f"there is no Ray cluster at {address} ({_one_line(error)}); start one with `ray start --head`, or omit the "
        "address to use this machine."
    )


def _results(ray: Any, job: Job, places: list[Place], workers: int | None) -> Iterator[dict[str, Any]]:
    """The outcomes of the tasks, in any order; Ray gives the tasks of a dead worker to another one."""
    each, count, gpus = plan_workers([node["Resources"] for node in ray.nodes() if node["Alive"]], workers)
    items = [{"root": place.root, "relative": encoded(place.relative)} for place in places]
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0
    tasks = ray.data.from_items(items, override_num_blocks=-(-len(items) // TASK)).map_batches(
        Worker,
        fn_constructor_args=(replace(job, gpu=gpus), each),
        batch_size=None,  # a block is a task
        compute=ray.data.ActorPoolStrategy(size=min(count, -(-len(items) // TASK))),  # dead workers are replaced
        num_cpus=each,
        num_gpus=1 if gpus else None,
    )
    try:
        yield from tasks.iter_batches(batch_size=None, prefetch_batches=1)
    except SketchseekError:
        raise
    except Exception as error:
        raise _gallery_error(error) from None


def plan_workers(machines: Sequence[Mapping[str, float]], workers: int | None) -> tuple[int, int, bool]:
    """(cores of each worker, number of workers, whether each has a GPU), within what ``machines`` have.

    Ray would wait forever for resources that no machine has.
    """
    gpus = sum(int(machine.get("GPU", 0)) for machine in machines)
    fit = [int(machine.get("CPU", 0)) for machine in machines if not gpus or machine.get("GPU", 0) >= 1]
    each = min(1 if workers else CORES, max(fit, default=0))
    if each == 0:
        raise GalleryError(
            f"no machine of the Ray cluster{' that has a GPU' if gpus else ''} offers a core for a worker; start one "
            "with `ray start --num-cpus`."
        )
    return each, workers or gpus or sum(cores // each for cores in fit), gpus > 0


def _readings(columns: Mapping[str, Any], roots: Roots) -> Iterator[Reading]:
    names = ("root", "relative", "size", "mtime_ns", "digest", "failure", "temporary", "gone")
    rows = zip(*(columns[name] for name in names), strict=True)
    for root, relative, size, mtime_ns, digest, failure, temporary, gone in rows:
        path = roots.path(Place(root, decoded(relative) or b""))
        yield Reading(
            path,
            int(size),
            int(mtime_ns),
            bytes.fromhex(digest),
            failure=failure or None,
            temporary=bool(temporary),
            gone=bool(gone),
        )


def _load(name: str, threads: int, gpu: bool) -> Model:
    from sketchseek.engine import find_model, load

    folder = find_model(name)
    if folder is None:
        raise GalleryError(f"a worker has no model {name}; copy its folder to every machine of the cluster.")
    return load(folder, threads=threads, provider="CUDA" if gpu and _has_cuda() else None)


def _has_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _gallery_error(error: BaseException) -> SketchseekError:
    """Why a worker or the cluster failed, as an error of one sentence."""
    seen: BaseException | None = error
    while seen is not None:
        for cause in (seen, getattr(seen, "cause", None)):
            if isinstance(cause, SketchseekError):
                return GalleryError(str(cause))
        seen = seen.__cause__ or seen.__context__
    text = _one_line(error)
    if ours := re.match(r"sketchseek\.[\w.]*Error: (.+)", text):  # a worker that could not start: only its text is left
        return GalleryError(ours[1])
    if "No space left" in text or "OutOfDisk" in text:
        return GalleryError(
            f"a disk of a Ray worker is full ({text}); make room and run the command again: what was written is kept."
        )
    return GalleryError(f"the Ray cluster failed ({text}); run the command again: what was written is kept.")


def _one_line(error: BaseException) -> str:
    """The message of an error on one line; in a worker's traceback, the first error, which caused the others."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b.*:", line)]
    return (named[0] if named else lines[-1] if lines else type(error).__name__)[:300]
