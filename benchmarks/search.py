"""Search at 10,000, 100,000 and 1,000,000 vectors: time, recall and memory, beside plain FAISS, LanceDB and Milvus
Lite.

    python benchmarks/search.py [--sizes 10000 100000 1000000] [--others-up-to 1000000] [--queries 200] [--threads 1]
    python benchmarks/search.py --crossover

The gallery is a real one (database, files, index) on disk; only the encoder is left out. The vectors lie around 4,000
centres of uneven weight in 40 directions, as photos' embeddings do, with noise in all 512. A query is drawn like them,
is not in the gallery, and is turned away (cosine 0.7) as drawings are from photos. LanceDB and Milvus Lite are
measured where they are installed: pip install lancedb milvus-lite pymilvus.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.index import VectorIndex
from sketchseek.gallery.embedded.index_files import save
from sketchseek.gallery.embedded.writer import Writer
from sketchseek.neighbours import Look

SIZE = 512
LATENT = 40
K = 10
CHUNK = 50_000
Vectors = NDArray[np.float32]


class Recorded:
    """A model whose answers are drawn beforehand: the words "17" are query 17."""

    name = identity = "recorded"
    size, photo_side = SIZE, 1

    def __init__(self, queries: Vectors) -> None:
        self.queries = queries

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self.queries[[int(text) for text in texts]]

    def encode_photos(self, photos: Sequence[Any]) -> Vectors:
        raise NotImplementedError("this benchmark asks in words")

    encode_sketches = encode_photos


def draw(count: int, seed: int) -> Iterator[Vectors]:
    """Unit vectors in chunks."""
    fixed = np.random.default_rng(0)
    centres = fixed.standard_normal((4000, LATENT), dtype=np.float32)
    spread = fixed.standard_normal((LATENT, SIZE), dtype=np.float32)
    weights = 1 / np.arange(1, 4001) ** 0.5
    rng = np.random.default_rng(seed)
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        latent = centres[rng.choice(4000, n, p=weights / weights.sum())] + 0.6 * rng.standard_normal(
            (n, LATENT), dtype=np.float32
        )
        yield unit(latent @ spread + rng.standard_normal((n, SIZE), dtype=np.float32))


def unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def fill(folder: Path, vectors: Vectors) -> None:
    """A gallery with a file for every vector."""
    catalogue = Writer(folder)
    with catalogue.batch():
        model = catalogue.add_model("recorded", "recorded", "recorded", SIZE)
        catalogue.use_model(model.row)
    for start in range(0, len(vectors), CHUNK):
        with catalogue.batch():
            for number, vector in enumerate(vectors[start : start + CHUNK], start):
                content = catalogue.add_content(number.to_bytes(8, "big") + bytes(24), 4000, 3000, None)
                catalogue.add_vector(model.row, content, vector)
                catalogue.set_file(b"/photos/%d/%d.jpg" % (number // 1000, number), 1, 1, content, None)
    catalogue.close()


@dataclass(frozen=True)
class Figures:
    """Of one query: wall time at the middle and at 99 of 100, CPU time of all threads, all in ms; and recall@10."""

    p50: float
    p99: float
    cpu: float
    recall: float


def measure(ask: Callable[[int], Sequence[int]], truth: NDArray[np.int64]) -> Figures:
    """``ask(number of a query) -> numbers of vectors``."""
    ask(0)
    wall, hits, cpu = [], 0, time.process_time()
    for number in range(len(truth)):
        start = time.perf_counter()
        found = ask(number)
        wall.append(1e3 * (time.perf_counter() - start))
        hits += len(set(found) & set(truth[number].tolist()))
    spent = 1e3 * (time.process_time() - cpu) / len(truth)
    return Figures(float(np.percentile(wall, 50)), float(np.percentile(wall, 99)), spent, hits / truth.size)


def exact(vectors: Vectors, queries: Vectors) -> NDArray[np.int64]:
    """The truth: the 10 nearest among the vectors as the gallery keeps them, by a plain product."""
    scores = np.concatenate(
        [queries @ part.astype(np.float16).astype(np.float32).T for part in np.array_split(vectors, 20)], 1
    )
    return np.argsort(-scores, axis=1)[:, :K]


@contextmanager
def resident() -> Iterator[list[float]]:
    """MB of memory that stay in use after what happens inside."""
    before, grown = _resident(), [0.0]
    yield grown
    grown[0] = _resident() - before


def _resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1000
    return float("nan")


def row(name: str, found: Figures, memory: float, build: float) -> None:
    times = f"{found.p50:.2f} | {found.p99:.2f} | {found.cpu:.2f}"
    print(f"| {name} | {times} | {found.recall:.3f} | {memory:,.0f} | {build:.1f} |", flush=True)


def compare(count: int, queries: Vectors, others_up_to: int, folder: Path) -> None:
    print(f"\n{count:,} x {SIZE}\n")
    print("| what | p50 ms | p99 ms | CPU ms | recall@10 | MB | made in CPU s |\n|---|--:|--:|--:|--:|--:|--:|")
    vectors = np.concatenate(list(draw(count, 1)))
    truth = exact(vectors, queries)
    fill(folder / "gallery", vectors)
    notes: list[str] = []
    ours = ours_and_faiss(queries, truth, folder / "gallery", notes)
    for name, other in (("lancedb", lance), ("milvus_lite", milvus)) if count <= others_up_to else ():
        if find_spec(name) is None:
            notes.append(f"{name}: not installed")
            continue
        theirs = other(vectors, queries, truth, folder / name)
        wall, cpu = ours.p50 / theirs.p50, ours.cpu / theirs.cpu
        notes.append(f"sketchseek takes {wall:.3f} of the time of {name}, {cpu:.3f} of its CPU time")
    print("\n" + "; ".join(notes) + ".", flush=True)


def ours_and_faiss(queries: Vectors, truth: NDArray[np.int64], folder: Path, notes: list[str]) -> Figures:
    with resident() as grown:
        start = time.process_time()
        catalogue = Catalogue(folder)
        index = VectorIndex.build(catalogue, catalogue.models()[0])
        build = time.process_time() - start
    save(index, folder)
    kind = "exact" if index.probes is None else f"{index.faiss.nlist} lists, {index.probes} looked into"
    plain = measure(lambda number: (index.faiss.search(queries[number : number + 1], K)[1][0] - 1).tolist(), truth)
    row(f"plain FAISS, the same index ({kind})", plain, grown[0], build)
    start = time.perf_counter()
    with Gallery.open(folder, Recorded(queries), readonly=True) as gallery:
        gallery.search(text="0", k=K)
        cold = time.perf_counter() - start
        ours, second = (measure(partial(find, gallery, look), truth) for look in ("direct", "both"))
    row("sketchseek, a whole search with its files", ours, grown[0], build)
    row("the same with the second look of --look both", second, grown[0], build)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    notes += [
        f"a whole search takes {ours.p50 / plain.p50:.2f} of plain FAISS's time",
        f"opening the gallery and the first search take {cold:.2f} s",
        f"the gallery takes {size:,.0f} MB on disk",
    ]
    return ours


def find(gallery: Gallery, look: Look, number: int) -> list[int]:
    """The ids of what query ``number`` finds, as numbers."""
    return [int(hit.id, 16) for hit in gallery.search(text=str(number), k=K, look=look)]


def lance(vectors: Vectors, queries: Vectors, truth: NDArray[np.int64], folder: Path) -> Figures:
    """LanceDB without an index while small, as its guide advises; above, IVF_PQ with the re-ranking it recommends."""
    import lancedb  # type: ignore[import-not-found,unused-ignore]
    import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from lancedb.index import IvfPq  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with resident() as grown:
        start = time.process_time()
        batches = (
            pyarrow.RecordBatch.from_arrays(
                [
                    pyarrow.array(np.arange(at, at + len(part))),
                    pyarrow.FixedSizeListArray.from_arrays(part.ravel(), SIZE),
                ],
                names=["id", "vector"],
            )
            for at in range(0, len(vectors), CHUNK)
            if len(part := vectors[at : at + CHUNK])
        )
        schema = pyarrow.schema([("id", pyarrow.int64()), ("vector", pyarrow.list_(pyarrow.float32(), SIZE))])
        table = lancedb.connect(folder).create_table("photos", batches, schema=schema)
        indexed = len(vectors) > 100_000
        if indexed:
            table.create_index("vector", config=IvfPq(distance_type="dot"))
        build = time.process_time() - start

        def ask(number: int) -> list[int]:
            query = table.search(queries[number]).distance_type("dot").select(["id", "_distance"]).limit(K)
            if indexed:
                query = query.nprobes(32).refine_factor(10)
            return [int(found["id"]) for found in query.to_list()]

        figures = measure(ask, truth)
    row("LanceDB, IVF_PQ, nprobes 32, refine 10" if indexed else "LanceDB, no index", figures, grown[0], build)
    return figures


def milvus(vectors: Vectors, queries: Vectors, truth: NDArray[np.int64], folder: Path) -> Figures:
    """Milvus Lite in this process's own folder, with the index it chooses."""
    from pymilvus import MilvusClient  # type: ignore[import-not-found,import-untyped,unused-ignore]

    folder.mkdir()
    start = time.process_time()
    client = MilvusClient(str(folder / "photos.db"))
    client.create_collection("photos", dimension=SIZE, metric_type="IP", auto_id=False)
    for at in range(0, len(vectors), 1000):
        client.insert("photos", [{"id": at + n, "vector": vector} for n, vector in enumerate(vectors[at : at + 1000])])
    build = time.process_time() - start

    def ask(number: int) -> list[int]:
        return [int(found["id"]) for found in client.search("photos", [queries[number]], limit=K)[0]]

    few = max(3, min(30, 300_000 // len(vectors)))  # at seconds a query
    figures = measure(ask, truth[:few])
    client.close()
    row("Milvus Lite, its own choice of index", figures, float("nan"), build)
    return figures


def crossover(queries: Vectors, folder: Path) -> None:
    """Exact scan against lists, at growing sizes."""
    print("| vectors | exact CPU ms | lists CPU ms | recall@10 of lists | lists, looked into | made in CPU s |")
    print("|--:|--:|--:|--:|--:|--:|")
    for count in (10_000, 30_000, 50_000, 100_000, 200_000, 300_000, 1_000_000):
        vectors = np.concatenate(list(draw(count, 1)))
        truth = exact(vectors, queries)
        fill(folder / str(count), vectors)
        del vectors
        catalogue = Catalogue(folder / str(count))
        model = catalogue.models()[0]
        scan = VectorIndex.build(catalogue, model, exact_limit=10**9)
        start = time.process_time()
        lists = VectorIndex.build(catalogue, model, exact_limit=0)
        build = time.process_time() - start
        one, other = (measure(partial(candidates, index, queries), truth) for index in (scan, lists))
        shape = f"{lists.faiss.nlist:,}, {lists.probes}"
        print(
            f"| {count:,} | {one.cpu:.2f} | {other.cpu:.2f} | {other.recall:.3f} | {shape} | {build:.1f} |", flush=True
        )


def candidates(index: VectorIndex, queries: Vectors, number: int) -> list[int]:
    """What a search for 10 hits would score."""
    return [int(found) - 1 for found in index.candidates(queries[number], 2 * K + 16)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--others-up-to", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--crossover", action="store_true")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    print(f"{options.threads} threads, {options.queries} queries, the 10 nearest of each")
    noise = unit(np.random.default_rng(3).standard_normal((options.queries, SIZE), dtype=np.float32))
    queries = unit(next(draw(options.queries, 2)) + noise)
    with tempfile.TemporaryDirectory() as folder:
        if options.crossover:
            crossover(queries, Path(folder))
            return
        for count in options.sizes:
            compare(count, queries, options.others_up_to, Path(folder) / str(count))


if __name__ == "__main__":
    main()
