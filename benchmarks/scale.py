"""A gallery in a folder against one on a Milvus server, and indexing with Ray workers against the plain indexer.

    python benchmarks/scale.py                      # 10,000 and 100,000 vectors, and 1,000 photos
    python benchmarks/scale.py --sizes 1000000 --indexes hnsw ivf_sq8 --photos 0

The server is the one of the PyPI package ``milvus``: $SKETCHSEEK_MILVUS_SERVER, else .venv-milvus/bin/milvus-server. It
is started in a folder of its own on this machine and shares its cores. Vectors are those of benchmarks/search.py; they
come into the server as ``sketchseek gallery copy`` brings them. Before an index is measured the server is started again
over its files, so that its memory holds this index and nothing else.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from search import SIZE, Figures, Recorded, draw, exact, fill, measure, unit

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.copying import copy
from sketchseek.gallery.embedded.writer import Writer
from sketchseek.gallery.ingest import Progress
from sketchseek.gallery.milvus.gallery import MilvusGallery

INDEXES = {
    "hnsw": ("index=hnsw&m=16&ef_construction=200", ("ef=64", "ef=128", "ef=256")),
    "ivf_flat": ("index=ivf_flat&nlist=1024", ("nprobe=32", "nprobe=128")),
    "ivf_sq8": ("index=ivf_sq8&nlist=1024&storage=object", ("nprobe=32", "nprobe=128")),
}
READY_S = 7200


class Server:
    """In ``folder``; ``restart`` ends it as a crash would, and starts it again over its files."""

    def __init__(self, executable: Path, folder: Path) -> None:
        self.executable, self.folder = executable, folder
        self.start()
        self.empty = self.resident()

    def start(self) -> None:
        with socket.socket() as probe:  # another one each time: the server leaves one alone that was just used
            probe.bind(("", 0))
            self.port = int(probe.getsockname()[1])
        log = self.folder / "server.log"
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [self.executable, "--data", self.folder, "--proxy-port", str(self.port)],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.folder)},
            )
        while "Config:" not in log.read_text(errors="replace"):
            if self.process.poll() is not None:
                sys.exit(f"the Milvus server did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def url(self, name: str, options: str = "") -> str:
        return f"milvus://127.0.0.1:{self.port}/{name}" + (f"?{options}" if options else "")

    def resident(self) -> float:
        """MB of memory of the server's own, without files it maps."""
        return sum(_resident(process) for process in _group(self.process.pid))

    def indexes(self) -> set[Path]:
        """Where the parts of indexes are, also of those that were replaced and not yet thrown away."""
        return set((self.folder / "data" / "index_files").glob("*"))

    def disk(self, stale: set[Path]) -> float:
        """MB of vectors, records and indexes but ``stale`` ones, without the log of what was written (``rocksmq``)."""
        kept = {self.folder / "data" / name for name in ("insert_log", "delta_log", "stats_log")}
        places = kept | (self.indexes() - stale)
        return sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file()) / 1e6


@contextmanager
def milvus(executable: Path) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(executable, Path(folder))
        try:
            yield server
        finally:
            server.stop()


def stores(count: int, queries: Any, indexes: Sequence[str], server: Server, folder: Path) -> None:
    """Tables of one size: every store and index with its latency, recall, memory and disk."""
    print(f"\n{count:,} x {SIZE}, {len(queries)} queries for the 10 nearest, a whole search with its files\n")
    heads = "p50 ms", "p99 ms", "CPU ms here", "recall@10", "memory MB", "disk MB", "rows/s", "index in s"
    print(f"| store | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}", flush=True)
    vectors = np.concatenate(list(draw(count, 1)))
    truth = exact(vectors, queries)
    start = time.perf_counter()
    fill(folder / "gallery", vectors)
    rate = count / (time.perf_counter() - start)
    with closing(Writer(folder / "gallery")) as writer, writer.batch():
        writer.add_folder(b"/photos", 1)
    del vectors
    before, start = _resident(os.getpid()), time.perf_counter()
    with Gallery.open(folder / "gallery", Recorded(queries), readonly=True) as embedded:
        embedded.search(text="0", k=10)
        made = time.perf_counter() - start
        found = measure(
            lambda number: [int(hit.id, 16) for hit in embedded.search(text=str(number), k=10, look="direct")], truth
        )
        size = sum(path.stat().st_size for path in (folder / "gallery").iterdir()) / 1e6
        row("folder", found, _resident(os.getpid()) - before, size, rate, made)
    roots = {"photos": "/photos"}
    name, rate = f"photos_{count}", 0.0
    for kind in indexes:
        building, searching = INDEXES[kind]
        stale = server.indexes()
        with MilvusGallery.open_address(server.url(name, building), None, False, True, roots) as target:
            start = time.perf_counter()
            if rate:
                target.rebuild()
            else:
                with Gallery.open(folder / "gallery", readonly=True) as source:
                    copy(source, target)
                rate = count / (time.perf_counter() - start)
                start = time.perf_counter()
                found = there(server.url(name, searching[-1]), queries, truth)
                row(f"server, just copied, {searching[-1]}", found, float("nan"), float("nan"), rate, float("nan"))
                target._connected().flush(_files(target), timeout=READY_S)
            indexed(target, count)
            made = time.perf_counter() - start
        server.restart()
        loaded(server.url(name), count)
        for option in searching:
            found = there(server.url(name, option), queries, truth)
            row(f"server, {kind}, {option}", found, server.resident() - server.empty, server.disk(stale), rate, made)


def there(url: str, queries: Any, truth: Any) -> Figures:
    """A gallery on the server, as the measured process sees it."""
    with Gallery.open(url, Recorded(queries), readonly=True, roots={"photos": "/photos"}) as gallery:
        return measure(
            lambda number: [int(hit.id, 16) for hit in gallery.search(text=str(number), k=10, look="direct")], truth
        )


def indexed(gallery: MilvusGallery, count: int) -> None:
    """Wait until the server has an index for all rows."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        told = gallery._connected().describe_index(_files(gallery), "vector")
        if int(told["pending_index_rows"]) == 0 and int(told["indexed_rows"]) >= count:
            return
        time.sleep(1)
    sys.exit("the index was not made in two hours")


def loaded(url: str, count: int) -> None:
    """Wait until a server that was started again has all rows in memory."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with suppress(GalleryError), MilvusGallery.open_address(url, None, True, False, {}) as gallery:
            segments = gallery._connected().list_loaded_segments(_files(gallery))
            if sum(one.num_rows for one in segments) == count and gallery.count_under(b"photos") == count:
                return
        time.sleep(1)
    sys.exit("the server did not load its rows in two hours")


def _files(gallery: MilvusGallery) -> str:
    tables = gallery._current_tables()
    assert tables is not None
    return tables.files


def workers(count: int, server: Server, folder: Path) -> None:
    """Photos a second of the plain indexer and of Ray workers, all into the server, with the model that ships."""
    rng = np.random.default_rng(5)
    for number in range(count):
        small = rng.integers(0, 255, (24, 32, 3), np.uint8)
        path = folder / "photos" / f"{number // 100}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC).save(path, quality=90)
    roots = {"photos": str(folder / "photos")}
    print(f"\n{count:,} JPEGs of 2 megapixels, the model that ships, {os.cpu_count()} cores\n")
    print("| indexer | photos/s, all in all | photos/s, once it runs | times the plain one |")
    print("|---|--:|--:|--:|", flush=True)
    plain = 0.0
    for number, label in enumerate(("plain", "Ray, 1 worker", "Ray, 2 workers")):
        steps: list[tuple[float, int]] = []

        def tell(one: Progress, steps: list[tuple[float, int]] = steps) -> None:
            steps.append((one.seconds, one.done))

        with MilvusGallery.open_address(server.url(f"ray_{number}"), "default", False, True, roots) as gallery:
            photos = folder / "photos"
            report = (
                gallery.add_with_ray(photos, progress=tell, workers=number)
                if number
                else gallery.add(photos, progress=tell)
            )
        assert report.added == count
        moving = [step for step in steps if step[1]]
        running = (moving[-1][1] - moving[0][1]) / max(1e-9, moving[-1][0] - moving[0][0])
        plain = plain or running
        print(f"| {label} | {count / report.seconds:.1f} | {running:.1f} | {running / plain:.2f} |", flush=True)


def row(name: str, found: Figures, memory: float, disk: float, rate: float, made: float) -> None:
    times = f"{found.p50:.1f} | {found.p99:.1f} | {found.cpu:.1f} | {found.recall:.3f}"
    rest = " | ".join("" if np.isnan(one) else f"{one:,.0f}" for one in (memory, disk, rate, made))
    print(f"| {name} | {times} | {rest} |", flush=True)


def _group(leader: int) -> list[int]:
    """The processes of a process group."""
    return [int(one) for one in subprocess.run(["pgrep", "-g", str(leader)], capture_output=True).stdout.split()]


def _resident(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--indexes", nargs="+", choices=list(INDEXES), default=list(INDEXES))
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--photos", type=int, default=1000)
    options = parser.parse_args()
    found = Path(os.environ.get("SKETCHSEEK_MILVUS_SERVER", ".venv-milvus/bin/milvus-server"))
    if not found.exists():
        print(f"skipped: no Milvus server at {found}; name one in SKETCHSEEK_MILVUS_SERVER", file=sys.stderr)
        return
    noise = unit(np.random.default_rng(3).standard_normal((options.queries, SIZE), dtype=np.float32))
    queries = unit(next(draw(options.queries, 2)) + noise)
    with tempfile.TemporaryDirectory() as folder, milvus(found.absolute()) as server:
        for count in options.sizes:
            stores(count, queries, options.indexes, server, Path(folder) / str(count))
        if options.photos:
            workers(options.photos, server, Path(folder))


if __name__ == "__main__":
    main()
