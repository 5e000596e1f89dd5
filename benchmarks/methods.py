"""Every method and baseline on one backbone, category level and fine-grained, several seeds: one table.

    python benchmarks/methods.py DATA --out runs/methods [--backbone FOLDER] [--lr 1e-3,1e-2] [--unseen] [--workers 2]

Trained on the classes ``train`` of the dataset DATA, the best step chosen on ``val``, judged
on ``val`` and, with ``--unseen``, on ``unseen``. Each run has a folder below ``--out``, which ``sketchseek evaluate``
reads; what is there already is not done again, so the same command continues after an interruption.

``--lr``: learning rates of everything that is trained, instead of the preset's. Each method is trained with all of them
and the first seed; the other seeds, and ``unseen``, get the rate that was best on ``val`` (mAP@all; if fine-grained,
the mean of acc@1 and acc@5). A method may be followed by changes of its recipe, whose preset is otherwise ``lite``:
``--methods "clip-at,clip-at delta_weight=0,clip-at preset=paper"``.

A cell is the mean over seeds ± their standard deviation, then the 95% interval of that mean when photos are drawn
again, each with its sketches. The second table compares with zero-shot, query by query on the same draw.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sketchseek.datasets import Dataset, open_dataset
from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.evaluation.evaluate import Options, evaluate
from sketchseek.evaluation.protocols import ProtocolName, ProtocolOptions
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.loading import load_model
from sketchseek.methods.method import Setting
from sketchseek.methods.registry import METHODS
from sketchseek.model import Model
from sketchseek.training import files
from sketchseek.training.presets import recipe_from_preset
from sketchseek.training.recipe import parse_settings
from sketchseek.training.session import train
from sketchseek.training.stem_cache import StemCache, cache_stem

ZERO_SHOT = "zero-shot"
SETTINGS: tuple[Setting, ...] = ("category", "fine-grained")
FIRST: dict[Setting, ProtocolName] = {"category": "zero-shot", "fine-grained": "fine-grained"}
KS: dict[ProtocolName, tuple[int, ...]] = {"zero-shot": (25, 200), "generalized": (25, 200), "fine-grained": (1, 5)}
#: protocol, metric, what stands above the column
COLUMNS: tuple[tuple[ProtocolName, str, str], ...] = (
    ("zero-shot", "map@all", "mAP@all"),
    ("zero-shot", "map@200:voc", "mAP@200"),
    ("zero-shot", "p@25", "P@25"),
    ("generalized", "map@all", "generalized mAP@all"),
    ("fine-grained", "acc@1", "acc@1"),
    ("fine-grained", "acc@5", "acc@5"),
)
RESAMPLES = 1000
MEGABYTES = 2000  # of stem tokens in each process


@dataclass(frozen=True)
class Job:
    """One run: trained, and judged on the groups of classes."""

    method: str  # as a row of the table names it: a method, and perhaps changes of its recipe
    setting: Setting
    seed: int
    folder: Path
    groups: tuple[str, ...]
    given: dict[str, Any]  # of the recipe
    data: Path
    backbone: str
    rate: float | None = None  # of everything that is trained; None: the preset's rates
    generalized: bool = False  # also judge the category level with seen classes in the gallery

    def placed(self, out: Path) -> "Job":
        """The same run with its folder below ``out``."""
        parts = [
            *self.method.split(),
            self.setting,
            *([f"lr{self.rate:g}"] if self.rate else []),
            f"seed{self.seed}",
        ]
        return replace(self, folder=out.resolve() / "-".join(parts))

    @property
    def protocols(self) -> tuple[ProtocolName, ...]:
        """What it is judged by."""
        more = self.generalized and self.setting == "category"
        return (FIRST[self.setting], *(("generalized",) if more else ()))

    def scores(self, group: str) -> Path:
        """Where the values of each query are kept."""
        return self.folder / f"scores-{group}.json"


@cache
def _stem_cache() -> StemCache:
    """One for all runs of a process: they use the same pictures."""
    return StemCache(MEGABYTES)


def work(job: Job, threads: int) -> float:
    """Train what is not trained, judge what is not judged; gives seconds."""
    begun = time.monotonic()
    torch.set_num_threads(threads)
    if job.method != ZERO_SHOT:
        given = {"data": str(job.data), "backbone": job.backbone, "seed": job.seed, "threads": threads, **job.given}
        name = open_dataset(str(job.data)).name
        method, *changes = job.method.split()
        given |= parse_settings(changes) | ({} if job.rate is None else {"lr": job.rate})
        recipe = recipe_from_preset(method, given.pop("preset", "lite"), job.setting, name, given, "--set")
        train(recipe, job.folder, resume=(job.folder / files.RECIPE).exists(), stem_cache=_stem_cache())
    missing = [group for group in job.groups if not job.scores(group).exists()]
    if missing:
        model, dataset = model_of(job), open_dataset(str(job.data))
        with VectorCache(None, print) as kept:  # one for all: galleries overlap
            for group in missing:
                measured = {protocol: measure(model, dataset, protocol, group, kept) for protocol in job.protocols}
                job.folder.mkdir(parents=True, exist_ok=True)
                files.write_whole(job.scores(group), json.dumps(measured))
    return time.monotonic() - begun


def measure(model: Model, dataset: Dataset, protocol: ProtocolName, group: str, kept: VectorCache) -> dict[str, Any]:
    """Each query of a protocol: its file, the photo it draws, its value by metric."""
    options = Options(ks=KS[protocol], resamples=0)
    result = evaluate(model, dataset, ProtocolOptions(protocol, group), kept, options, lambda *_: None)
    scores, queries = result.main.scores, result.main.task.queries
    wanted = {metric for of, metric, _ in COLUMNS if of == protocol}
    return {
        "queries": [queries[row].path for row in scores.rows],
        "photos": [queries[row].instance or queries[row].path for row in scores.rows],
        "values": {
            metric: scores.values[:, column].tolist()
            for column, metric in enumerate(scores.metrics)
            if metric in wanted
        },
    }


def model_of(job: Job) -> Model:
    """The trained model, with a cached stem."""
    model: Any = load_model(job.backbone if job.method == ZERO_SHOT else job.folder, device="cpu")
    cache_stem(model.method.backbone, _stem_cache())
    return cast(Model, model)


@dataclass(frozen=True)
class Cell:
    """One metric of one method: values of queries, averaged over seeds, and the mean of each seed, in percent."""

    queries: tuple[str, ...]
    photos: NDArray[np.intp]
    values: NDArray[np.float64]  # (n,)
    seeds: tuple[float, ...]

    def __str__(self) -> str:
        low, high = interval(self.values, self.photos)
        spread = f" ± {statistics.stdev(self.seeds):.1f}" if len(self.seeds) > 1 else ""
        return f"{self.values.mean():.1f}{spread} [{low:.1f}, {high:.1f}]"

    def beside(self, base: "Cell") -> str:
        """The difference, over the queries of both."""
        rows = {query: row for row, query in enumerate(base.queries)}
        pairs = [(row, rows[query]) for row, query in enumerate(self.queries) if query in rows]
        ours, theirs = (np.array(side) for side in zip(*pairs, strict=True))
        gain = self.values[ours] - base.values[theirs]
        low, high = interval(gain, self.photos[ours])
        return f"{gain.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


def interval(values: NDArray[np.float64], photos: NDArray[np.intp]) -> tuple[float, float]:
    """Where 95% of the means lie, of draws of photos with their queries."""
    low, high = bootstrap_interval(values[:, None], photos, resamples=RESAMPLES, seed=0)[:, 0]
    return float(low), float(high)


def read_cell(jobs: Sequence[Job], group: str, protocol: ProtocolName, metric: str) -> Cell | None:
    """The cell of one method's runs; None where none is judged."""
    found = [json.loads(job.scores(group).read_text()) for job in jobs if job.scores(group).exists()]
    runs = [scores[protocol] for scores in found if protocol in scores]
    if not runs:
        return None
    values = 100 * np.array([run["values"][metric] for run in runs])
    photos = np.unique(runs[0]["photos"], return_inverse=True)[1]
    return Cell(tuple(runs[0]["queries"]), photos, values.mean(axis=0), tuple(values.mean(axis=1)))


def tables(jobs: Sequence[Job], methods: Sequence[str], group: str) -> str:
    """Two tables in markdown: what every method reaches, and by how much it differs from zero-shot."""
    judged = {protocol for job in jobs for protocol in job.protocols}
    columns = [column for column in COLUMNS if column[0] in judged]
    cells = {
        method: [
            read_cell([job for job in jobs if job.method == method], group, protocol, metric)
            for protocol, metric, _ in columns
        ]
        for method in methods
    }
    head = "| method | " + " | ".join(title for *_, title in columns) + " |\n" + "|---" * (1 + len(columns)) + "|"
    reached = [f"| {method} | " + " | ".join(str(cell or "") for cell in row) + " |" for method, row in cells.items()]
    base = cells.get(ZERO_SHOT, [])
    gains = [
        f"| {method} | "
        + " | ".join(cell.beside(zero) if cell and zero else "" for cell, zero in zip(row, base, strict=True))
        + " |"
        for method, row in cells.items()
        if base and method != ZERO_SHOT
    ]
    return "\n".join([f"on {group}", "", head, *reached, "", "less zero-shot", "", head, *gains, ""])


def plan(given: argparse.Namespace) -> list[Job]:
    """The runs of the first seed, with every rate, judged on ``val``."""
    changes = parse_settings(given.settings)
    return [
        Job(
            method, setting, 0, Path(), ("val",), changes, given.data.resolve(), given.backbone, rate, given.generalized
        ).placed(given.out)
        for method in given.methods
        for setting in given.kinds
        for rate in (given.rates if method != ZERO_SHOT else [None])
    ]


def chosen(jobs: Sequence[Job]) -> list[Job]:
    """Of runs that differ in their rate alone, the one that is best on ``val``."""
    best: dict[tuple[str, Setting], tuple[float, Job]] = {}
    for job in jobs:
        if job.scores("val").exists():
            quality = on_val(job)
            if quality > best.get((job.method, job.setting), (-1.0, job))[0]:
                best[job.method, job.setting] = (quality, job)
    return [job for _, job in best.values()]


def on_val(job: Job) -> float:
    """What rates are chosen by, in percent."""
    scores = json.loads(job.scores("val").read_text())
    found = scores[FIRST[job.setting]]["values"]
    wanted = ("map@all",) if job.setting == "category" else ("acc@1", "acc@5")
    return 100 * statistics.fmean(statistics.fmean(found[metric]) for metric in wanted)


def run_all(jobs: Sequence[Job], workers: int, threads: int) -> int:
    """Do all jobs, several at a time; the number of those that failed."""
    failed = 0
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = {pool.submit(work, job, threads): job for job in jobs}
        for run in as_completed(runs):
            name = runs[run].folder.name
            if error := run.exception():
                failed += 1
                print(name, "".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
            else:
                print(f"{name}: {run.result():.0f} s, val {on_val(runs[run]):.1f}", file=sys.stderr, flush=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and judge every method.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--methods", type=lambda names: names.split(","), default=[ZERO_SHOT, *_trained()])
    parser.add_argument("--kinds", type=lambda names: names.split(","), default=list(SETTINGS), help="settings")
    parser.add_argument(
        "--lr", dest="rates", type=lambda text: [float(rate) for rate in text.split(",")], default=[None]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--generalized", action="store_true", help="also with the seen classes in the gallery")
    parser.add_argument("--unseen", action="store_true", help="also judge on the test classes, for a final table")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="key=value of every recipe")
    given = parser.parse_args()
    swept = plan(given)
    failed = run_all(swept, given.workers, given.threads)
    groups = ("val", "unseen") if given.unseen else ("val",)
    jobs = [
        replace(job, seed=seed, groups=groups).placed(given.out)
        for seed in range(given.seeds)
        for job in chosen(swept)
        if job.method != ZERO_SHOT or not seed
    ]
    failed += run_all(
        [job for job in jobs if any(not job.scores(group).exists() for group in groups)], given.workers, given.threads
    )
    for group in groups:
        print(tables(jobs, given.methods, group))
    if len(given.rates) > 1:
        print("on val by learning rate\n")
        for job in swept:
            if job.method != ZERO_SHOT and job.scores("val").exists():
                print(f"{job.method}, {job.setting}: {job.rate:g}: {on_val(job):.1f}")
    sys.exit(failed > 0)


def _trained() -> list[str]:
    """Baselines before the papers' methods, as their tables have them."""
    papers = ("clip-at", "splip", "dp-clip")
    return [*(name for name in METHODS if name not in (*papers, ZERO_SHOT)), *papers]


if __name__ == "__main__":
    main()
