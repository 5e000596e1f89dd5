"""Carry out a plan: train or continue, evaluate with the paper's protocol, compare, and write the reports."""

import json
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sketchseek import __version__
from sketchseek.caches import cache_folder
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.definitions import definition, is_rank
from sketchseek.evaluation.evaluate import Evaluation, Options, evaluate
from sketchseek.evaluation.report.page import write_report
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.encoding import ProgressFunction
from sketchseek.loading import load_model
from sketchseek.reproduce.plan import DIFFERS, DONE, Plan
from sketchseek.reproduce.rows import Row, tolerance
from sketchseek.training import files
from sketchseek.training.progress import Progress
from sketchseek.training.session import train

FORMAT = 1  # of report.json
REPORT, PAGE = "report.json", "report.html"
PACKAGES = ("torch", "transformers", "numpy")

WITHIN, OUTSIDE, INCOMPARABLE = "within tolerance", "not within tolerance", "not comparable"


@dataclass(frozen=True)
class Compared:
    """A figure of the row beside what was found, in percent (ranks as they are)."""

    metric: str
    expected: float
    found: dict[str, float]  # by the name of the definition
    difference: float  # of the definition that is nearest
    within: bool


@dataclass(frozen=True)
class Result:
    """What a reproduction found."""

    plan: Plan
    figures: tuple[Compared, ...]
    verdict: str
    because: str
    report: Path
    page: Path

    @property
    def exit_code(self) -> int:
        return DONE if self.verdict == WITHIN else DIFFERS


def run(
    plan: Plan,
    *,
    command: str,
    other_data: bool = False,
    trust_pickle: bool = False,
    training_progress: Callable[[], AbstractContextManager[Progress]],
    stages: Callable[[], AbstractContextManager[ProgressFunction]],
    note: Callable[[str], None],
) -> Result:
    """Train what is not trained, evaluate, compare and write both reports below ``plan.out``."""
    row = plan.row
    if plan.data is None or (row.target and plan.target is None):
        raise SketchseekError(f"{row.id} needs its data: name its folder with --data")
    if plan.differing and not other_data:
        raise SketchseekError(
            f"the data is not that of the figures ({'; '.join(plan.differing)}), so the result could not be compared: "
            "complete it, or run all the same with --other-data"
        )
    if row.trains:
        begun = (plan.out / files.RECIPE).is_file()
        with training_progress() as progress:
            train(plan.recipe, plan.out, resume=begun, trust_pickle=trust_pickle, progress=progress)
    device = None if plan.recipe.device == "auto" else plan.recipe.device
    model = load_model(plan.out if row.trains else plan.backbone, device=device, trust_pickle=trust_pickle)
    dataset = (plan.target or plan.data).dataset
    options = Options(transductive=row.transductive)
    with VectorCache(cache_folder(), note) as vectors, stages() as update:
        evaluation = evaluate(model, dataset, row.protocol_options(), vectors, options, update)
    plan.out.mkdir(parents=True, exist_ok=True)
    write_report(evaluation, plan.out / PAGE, command, _hashes_in_words(plan))
    verdict, because, figures = judge(row, evaluation, plan.differing)
    result = Result(plan, figures, verdict, because, plan.out / REPORT, plan.out / PAGE)
    _write(result.report, as_json(result, evaluation, command))
    return result


def judge(row: Row, evaluation: Evaluation, differing: tuple[str, ...]) -> tuple[str, str, tuple[Compared, ...]]:
    """The verdict, a sentence that says why, and each figure; ``differing``: in what the data is not theirs."""
    figures = compare_figures(row, evaluation.main.scores.means())
    if differing:
        return INCOMPARABLE, f"Not comparable: {'; '.join(differing)}.", figures
    comparable, sentence = _comparable(row, evaluation)
    if comparable is False:
        return INCOMPARABLE, sentence, figures
    outside = [one.metric for one in figures if not one.within]
    if outside:
        return OUTSIDE, f"{', '.join(outside)} differ by more than {tolerance():g}. {sentence}", figures
    return WITHIN, f"Every figure is within {tolerance():g}. {sentence}", figures


def compare_figures(row: Row, means: dict[str, float]) -> tuple[Compared, ...]:
    """Each figure of the row beside ``means``; where a paper's definition is not known, the nearest one counts."""
    compared = []
    for metric, expected in row.figures.items():
        found = {name: means[name] * (1 if is_rank(name) else 100) for name in row.names(metric)}
        difference = min((value - expected for value in found.values()), key=abs)
        compared.append(Compared(metric, expected, found, difference, abs(difference) <= tolerance()))
    return tuple(compared)


def _hashes_in_words(plan: Plan) -> list[tuple[str, str]]:
    """The hashes of the classes that the row uses, as lines of the page."""
    lines = []
    for data in filter(None, (plan.data, plan.target)):
        for one in data.hashes:
            of = f"{data.dataset.name}, {one.classes}"
            lines.append((f"SHA-256 of the file names, {of}", one.names))
            if one.files:
                lines.append((f"SHA-256 of the files, {of}", one.files))
    return lines


def _comparable(row: Row, evaluation: Evaluation) -> tuple[bool | None, str]:
    """Whether the figures are of the same task as here; None: as far as is known."""
    task = evaluation.main.task
    if row.sizes is not None:
        here = (len(task.queries), len(task.gallery))
        if here == row.sizes:
            same = "files" if row.hashes else "numbers of sketches and photos"
            return True, f"The {same} are those of our figures."
        return False, "Not comparable: {} sketches and {} photos here, {} and {} there.".format(*here, *row.sizes)
    found = evaluation.comparison
    if found is None:
        return False, "Not comparable: these are not the classes of the published split."
    return found.comparable, found.sentence


def as_json(result: Result, evaluation: Evaluation, command: str) -> dict[str, Any]:
    """The whole reproduction as plain data."""
    plan, row = result.plan, result.plan.row
    return {
        "format": FORMAT,
        "row": row.id,
        "status": row.status,
        "source": row.source,
        "command": command,
        "verdict": result.verdict,
        "because": result.because,
        "tolerance": tolerance(),
        "figures": [asdict(one) for one in result.figures],
        "definitions": {name: definition(name) for one in result.figures for name in one.found},
        "changes": {key: {"row": before, "here": now} for key, (before, now) in plan.changes.items()},
        "recipe": {"fingerprint": plan.recipe.fingerprint, **plan.recipe.values(), "method": row.method}
        if row.trains
        else None,
        "backbone": plan.backbone,
        "data": plan.data.to_json() if plan.data else None,
        "target": plan.target.to_json() if plan.target else None,
        "evaluation": evaluation.to_json(),
        "versions": {"sketchseek": __version__, "python": platform.python_version(), "machine": platform.machine()}
        | {name: version(name) for name in PACKAGES},
    }


def _write(path: Path, data: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")
    except OSError as error:
        raise SketchseekError(
            f"{path} cannot be written ({error.strerror}): free disk space, then repeat the command"
        ) from error
