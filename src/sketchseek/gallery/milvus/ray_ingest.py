"""Index with the machines of a Ray cluster: the driver looks at folders, workers read, encode and write.

Every worker loads the model once and writes whole rows under keys that come from the files, so a batch that Ray gives
to another worker after one died, or that is done twice, ends as the same rows. The driver counts, writes what failed,
and removes what went, when all is done. Workers find the photos under the roots of the driver's machine, unless their
own $SKETCHSEEK_ROOTS says otherwise; the server's token they take from their own environment.
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
from sketchseek.model import Model

LOCAL = "local"
TASK = 128  # files a worker is given at once: what is done again when it dies
CORES = 2  # of a worker without a GPU
# What workers say is short: a small store for it, and no web page.
LOCALLY: Mapping[str, Any] = {"include_dashboard": False, "object_store_memory": 256 * 2**20}


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker has to know. ``model``: one that travels, or a name that each worker loads by itself."""

    address: str
    tables: Tables
    roots: Mapping[str, str]
    model: Model | str
    identity: str
    batch: int
    gpu: bool


class Worker:
    """Lives in a process of its own, perhaps on another machine."""

    def __init__(self, job: Job, threads: int) -> None:
        self.name = f"{os.uname().nodename}:{os.getpid()}"
        # Only the run's roots: a file is in the innermost one, and another would give it another key.
        own = {name: folder for name, folder in named().items() if name in job.roots}
        address, roots = parse(job.address), Roots({**job.roots, **own})
        model = _load(job.model, threads, job.gpu) if isinstance(job.model, str) else job.model
        if model.identity != job.identity:
            raise GalleryError(
                f"the worker {self.name} has another model by the name {model.name}; copy the same there."
            )
        if absent := [name for name in job.roots if not Path(os.fsdecode(roots.folders[name])).is_dir()]:
            raise GalleryError(
                f"the worker {self.name} does not have the folder of the root {absent[0]}; mount it there, or name its "
                "place in that machine's $SKETCHSEEK_ROOTS."
            )
        writer = MilvusWriter(connect(address), address, job.tables, roots)
        self.part = _Part(writer, model, job.tables.model, batch=job.batch, threads=threads, progress=None)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Columns ``root`` and ``way`` of files -> what became of each, in columns."""
        roots = self.part.writer.roots
        places = [Place(root, decoded(way) or b"") for root, way in zip(task["root"], task["way"], strict=True)]
        readings = {reading.path: reading for reading in self.part.take_in([roots.path(place) for place in places])}
        found = [readings[roots.path(place)] for place in places]
        return {
            "root": task["root"],
            "way": task["way"],
            "size": np.array([reading.size for reading in found], np.int64),
            "mtime_ns": np.array([reading.mtime_ns for reading in found], np.int64),
            "digest": np.array([reading.digest.hex() for reading in found], object),
            "encoded": np.array([reading.width > 0 for reading in found]),
            "failure": np.array([reading.failure or "" for reading in found], object),
            "again": np.array([reading.again for reading in found]),
            "gone": np.array([reading.gone for reading in found]),
            "worker": np.array([self.name] * len(found), object),
        }


class _Part(Ingestion):
    """A worker's share: writes good files, and leaves the rest to the driver."""

    @property
    def writer(self) -> MilvusWriter:
        assert isinstance(self.catalogue, MilvusWriter)
        return self.catalogue

    def take_in(self, paths: list[bytes]) -> list[Reading]:
        """What became of the files."""
        self.outcomes: list[Reading] = []
        self._take_in(Plan(paths, {}, set()))
        return self.outcomes

    def _record(self, reading: Reading, plan: Plan) -> None:
        if not (reading.gone or reading.failure):
            self.writer.set_file(reading.path, reading.size, reading.mtime_ns, photo_of(reading.digest), None)
        self.outcomes.append(replace(reading, pixels=None))

    def _tell(self) -> None:
        """The driver tells."""


class RayIngestion(Ingestion):
    """A run over folders with a cluster; everything but the reading and encoding happens here."""

    def __init__(
        self, writer: MilvusWriter, job: Job, ray_address: str, workers: int | None, model: Model, **more: Any
    ) -> None:
        super().__init__(_Counting(writer), model, job.tables.model, batch=job.batch, threads=1, **more)
        self.job, self.ray_address, self.workers = job, ray_address, workers
        self.rates: dict[str, float] = {}

    def _take_in(self, plan: Plan) -> None:
        if not plan.waiting:
            return
        roots = Roots(self.job.roots)
        places = [roots.place(path) for path in plan.waiting]
        used = {place.root for place in places}
        job = replace(self.job, roots={name: folder for name, folder in self.job.roots.items() if name in used})
        done: Counter[str] = Counter()
        began = time.perf_counter()
        with cluster(self.ray_address) as ray:
            for columns in _results(ray, job, places, self.workers):
                readings = [self._checked(reading) for reading in _readings(columns, roots)]
                with self.catalogue.batch():
                    for reading in readings:
                        self._record(reading, plan)
                done.update(columns["worker"].tolist())
                self.rates = {name: count / (time.perf_counter() - began) for name, count in done.items()}
                self._encoded += int(columns["encoded"].sum())
                self._done += len(readings)
                self._tell()

    def _checked(self, reading: Reading) -> Reading:
        """A file that only the worker does not have is not gone."""
        if reading.gone and os.path.lexists(reading.path):
            return replace(
                reading, gone=False, failure="a worker does not have it: is its folder mounted there?", again=True
            )
        return reading

    def _tell(self) -> None:
        if self.progress:
            seconds = time.perf_counter() - self._start
            failed = len(self.report.failed)
            self.progress(Progress(self._done, self._total, self._encoded, failed, seconds, dict(self.rates)))


class _Counting(MilvusWriter):
    """The driver's side: good files were written by the workers."""

    def __init__(self, writer: MilvusWriter) -> None:
        super().__init__(writer.client, writer.address, writer.tables, writer.roots)

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        return photo_of(digest), True

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        if content is None:
            super().set_file(path, size, mtime_ns, content, failure)
        else:
            self.leave_failure(path)


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster, or started on this machine for as long as it takes."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise GalleryError("indexing with Ray needs it; run: pip install 'sketchseek[ray]'.") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it tells of every plan that it makes
    own = not ray.is_initialized()
    if own:
        _knock(address)
        where = LOCALLY if address == LOCAL else {"address": address}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **where)
        except Exception as error:  # Ray raises bare ones too
            raise _no_cluster(address, error) from None
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _knock(address: str) -> None:
    """Whether somebody listens there: Ray itself would wait for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _no_cluster(address, error) from None


def _no_cluster(address: str, error: BaseException) -> GalleryError:
    return GalleryError(
        f"there is no Ray cluster at {address} ({_line(error)}); start one with `ray start --head`, or leave the "
        "address away to use this machine."
    )


def _results(ray: Any, job: Job, places: list[Place], workers: int | None) -> Iterator[dict[str, Any]]:
    """What the workers say, task by task, in whatever order; Ray gives a dead worker's tasks to another."""
    each, count, gpus = crew([node["Resources"] for node in ray.nodes() if node["Alive"]], workers)
    items = [{"root": place.root, "way": encoded(place.way)} for place in places]
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0
    tasks = ray.data.from_items(items, override_num_blocks=-(-len(items) // TASK)).map_batches(
        Worker,
        fn_constructor_args=(replace(job, gpu=gpus), each),
        batch_size=None,  # a block is a task
        compute=ray.data.ActorPoolStrategy(size=min(count, -(-len(items) // TASK))),  # dead ones are started again
        num_cpus=each,
        num_gpus=1 if gpus else None,
    )
    try:
        yield from tasks.iter_batches(batch_size=None, prefetch_batches=1)
    except SketchseekError:
        raise
    except Exception as error:
        raise _sentence(error) from None


def crew(machines: Sequence[Mapping[str, float]], workers: int | None) -> tuple[int, int, bool]:
    """Cores of each worker, how many workers, and whether each has a GPU. Ray would wait for what no machine has."""
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
    names = ("root", "way", "size", "mtime_ns", "digest", "failure", "again", "gone")
    for root, way, size, mtime_ns, digest, failure, again, gone in zip(*(columns[name] for name in names), strict=True):
        path = roots.path(Place(root, decoded(way) or b""))
        yield Reading(
            path,
            int(size),
            int(mtime_ns),
            bytes.fromhex(digest),
            failure=failure or None,
            again=bool(again),
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


def _sentence(error: BaseException) -> SketchseekError:
    """What a worker or the cluster died of, in one sentence."""
    seen: BaseException | None = error
    while seen is not None:
        for cause in (seen, getattr(seen, "cause", None)):
            if isinstance(cause, SketchseekError):
                return GalleryError(str(cause))
        seen = seen.__cause__ or seen.__context__
    text = _line(error)
    if ours := re.match(r"sketchseek\.[\w.]*Error: (.+)", text):  # of a worker that could not start: only its text
        return GalleryError(ours[1])
    if "No space left" in text or "OutOfDisk" in text:
        return GalleryError(
            f"a disk of a Ray worker is full ({text}); make room and run the command again: what was written is kept."
        )
    return GalleryError(f"the Ray cluster gave up ({text}); run the command again: what was written is kept.")


def _line(error: BaseException) -> str:
    """What an error says in one line: in a worker's traceback the first error, which the others come from."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b.*:", line)]
    return (named[0] if named else lines[-1] if lines else type(error).__name__)[:300]
