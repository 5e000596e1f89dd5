"""All metrics of the field at the sizes of its test sets, against the loop that research code runs.

    python benchmarks/evaluation.py            # Sketchy-1, Sketchy-2 and TU-Berlin
    python benchmarks/evaluation.py --full     # also QuickDraw, some minutes
    python benchmarks/evaluation.py quickdraw  # only that

Vectors are drawn around one centre per class. The loop is a torchmetrics call per query and metric, after the query's
cosine with the whole gallery; it is timed on a sample of queries and scaled. Each side runs in its own process with
two threads. Wall time tells little on a busy machine: processor time stands beside it, and the ratio is of that.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

THREADS = 2
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS)))

import numpy as np  # noqa: E402 - after the thread counts, which it reads when it is imported
from numpy.typing import NDArray  # noqa: E402

# test set: (sketches, photos, classes)
SIZES = {
    "tiny": (60, 90, 5),
    "sketchy-1": (15_229, 17_101, 25),
    "sketchy-2": (12_694, 12_553, 21),
    "tu-berlin": (2_400, 27_989, 30),
    "quickdraw": (92_291, 54_151, 30),
}
WIDTH = 512
KS = (100, 200)

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


def make(rows: int, classes: int, seed: int) -> tuple[Vectors, Labels]:
    """Vectors (rows, 512) around their class's centre, and the classes."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, rows)
    centres = np.random.default_rng(0).standard_normal((classes, WIDTH), np.float32)
    vectors = draw.standard_normal((rows, WIDTH), np.float32)
    for start in range(0, rows, 4096):
        vectors[start : start + 4096] = 4 * vectors[start : start + 4096] + centres[labels[start : start + 4096]]
    return vectors, labels


def ours(queries: Vectors, query_labels: Labels, gallery: Vectors, gallery_labels: Labels) -> dict[str, float]:
    """Every metric of every query."""
    from sketchseek.evaluation.ranking import rank_relevant
    from sketchseek.evaluation.relevance import by_label
    from sketchseek.evaluation.scoring import score

    return score(rank_relevant(queries, gallery, by_label(query_labels, gallery_labels)), KS).means()


def loop(queries: Vectors, query_labels: Labels, gallery: Vectors, gallery_labels: Labels) -> dict[str, float]:
    """Four metrics of every query, one query at a time."""
    import torch
    from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_precision

    torch.set_num_threads(THREADS)
    photos, labels = torch.from_numpy(gallery), torch.from_numpy(gallery_labels)
    found: dict[str, list[float]] = {"map@all": [], "map@200:hits": [], "p@100": [], "p@200": []}
    for query, label in zip(torch.from_numpy(queries), query_labels, strict=True):
        scores = 1 + torch.cosine_similarity(query[None], photos)
        target = labels == int(label)
        found["map@all"].append(float(retrieval_average_precision(scores, target)))
        found["map@200:hits"].append(float(retrieval_average_precision(scores, target, top_k=200)))
        found["p@100"].append(float(retrieval_precision(scores, target, top_k=100)))
        found["p@200"].append(float(retrieval_precision(scores, target, top_k=200)))
    return {name: float(np.mean(values)) for name, values in found.items()}


def child(side: str, name: str, sample: int) -> None:
    """Run one side at one size, and print what it took as JSON."""
    sketches, photos, classes = SIZES[name]
    queries, query_labels = make(sketches, classes, 1)
    gallery, gallery_labels = make(photos, classes, 2)
    run: Callable[[Vectors, Labels, Vectors, Labels], dict[str, float]] = ours if side == "ours" else loop
    run(queries[:2], query_labels[:2], gallery, gallery_labels)  # imports and first calls are not counted
    if side == "loop":
        queries, query_labels = queries[:sample], query_labels[:sample]
    wall, cpu = time.perf_counter(), time.process_time()
    means = run(queries, query_labels, gallery, gallery_labels)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    scale = sketches / len(queries)
    print(json.dumps({"wall": wall * scale, "cpu": cpu * scale, "peak": peak, "means": means}))


def measured(side: str, name: str, sample: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", side, "--sample", str(sample), name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(SIZES)}")
    parser.add_argument("--full", action="store_true", help="all sizes, QuickDraw too")
    parser.add_argument("--sample", type=int, default=40, help="queries the loop is timed on")
    parser.add_argument("--child", choices=["ours", "loop"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.names or [name for name in SIZES if name != "tiny" and (arguments.full or name != "quickdraw")]
    if unknown := set(names) - set(SIZES):
        parser.error(f"no such size: {', '.join(sorted(unknown))}")
    if arguments.child:
        child(arguments.child, names[0], arguments.sample)
        return
    print("| test set | queries x gallery | all metrics: wall | processor | peak memory | loop: processor | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        mine, theirs = (measured(side, name, arguments.sample) for side in ("ours", "loop"))
        size = f"{SIZES[name][0]:,} x {SIZES[name][1]:,}"
        print(
            f"| {name} | {size} | {mine['wall']:.1f} s | {mine['cpu']:.1f} s | {mine['peak'] / 1e6:,.0f} MB"
            f" | {theirs['cpu'] / 60:,.1f} min | {theirs['cpu'] / mine['cpu']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
