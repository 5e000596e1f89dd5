"""One HTML file that shows a result: it makes no requests, and every name in it is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from sketchseek import __version__
from sketchseek.datasets import Dataset
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.definitions import definition, format_value
from sketchseek.evaluation.evaluate import Evaluation
from sketchseek.evaluation.papers import WARNING, PaperTable, our_names, tables_for
from sketchseek.evaluation.ranking import TIES
from sketchseek.evaluation.report.charts import confusion_chart, curve_chart, rank_chart
from sketchseek.evaluation.report.details import TOP, Confusion, Details, Listed, collect_details
from sketchseek.evaluation.report.thumbnails import Thumbnails
from sketchseek.evaluation.second_look import USES_GALLERY
from sketchseek.neighbours import POOL

CONFUSED_PAIRS = 15
_BIN_ENDS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
_EACH_RANK_UP_TO = 30


@dataclass(frozen=True)
class Bar:
    """One class of the chart by classes."""

    name: str
    queries: int
    share: float  # 0 to 1
    text: str


def write_report(result: Evaluation, path: Path, command: str, hashes: Sequence[tuple[str, str]] = ()) -> None:
    """Write the page; ``command`` is the command line that made it, ``hashes`` are of the data: (of what, hash)."""
    page = render(result, collect_details(result), command, hashes)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SketchseekError(
            f"the report cannot be written to {path} ({error.strerror}): name another file"
        ) from error


def render(result: Evaluation, details: Details, command: str, hashes: Sequence[tuple[str, str]] = ()) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("sketchseek.evaluation.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(_page(result, details, command) | {"hashes": hashes})


def _page(result: Evaluation, details: Details, command: str) -> dict[str, Any]:
    main, task = result.main, result.main.task
    means = main.scores.means()
    thumbnails = Thumbnails(result.dataset)
    instance = task.by == "instance"
    main_name = main_metric(result)
    return {
        "title": _title(result),
        "result": result,
        "task": task,
        "command": command,
        "version": __version__,
        "ties": TIES,
        "uses_gallery": USES_GALLERY,
        "pool": POOL,
        "instance": instance,
        "tiles": [_tile(result, means, name) for name in _tile_names(means, instance)],
        "metrics": [_metric(result, means, name) for name in result.headline()],
        "main_name": main_name,
        "bars": _bars(result, main_name),
        "curve": None if instance else curve_chart(_curves(result)),
        "ranks": rank_chart(rank_bins(details.ranks, details.ranked)) if instance else None,
        "confusion": _confusion(details.confusion),
        "lists": [
            {
                "name": one.name,
                "rows": [_strip(result.dataset, thumbnails, "best", one.best, details.ranked)]
                + ([_strip(result.dataset, thumbnails, "worst", one.worst, details.ranked)] if one.worst else []),
            }
            for one in details.lists
        ],
        "classes_with_lists": details.classes_with_lists,
        "top": TOP,
        "papers": [_paper(table, means) for table in tables_for(task)],
        "comparison": result.comparison,
        "warning": WARNING,
        "broken": [(path, why) for items in result.excluded.values() for path, why in items.items()],
        "sizes": task.sizes(),
    }


def main_metric(result: Evaluation) -> str:
    """The metric by which classes are compared: a share, larger is better."""
    return f"acc@{_ks(result.main.scores.means())[0]}" if result.main.task.by == "instance" else "map@all"


def _title(result: Evaluation) -> str:
    task = result.main.task
    name = {
        "zero-shot": "Zero-shot retrieval",
        "generalized": f"Generalized zero-shot retrieval ({task.variant})",
        "cross": "Cross-dataset retrieval",
        "fine-grained": "Fine-grained retrieval " + ("within the class" if task.within_class else "across classes"),
    }[task.protocol]
    return f"{name}, {len(task.classes)} classes" if len(task.classes) > 1 else f"{name}, one class"


def _ks(means: dict[str, float]) -> list[int]:
    return sorted(int(name.removeprefix("acc@")) for name in means if name.startswith("acc@"))


def _tile_names(means: dict[str, float], instance: bool) -> list[str]:
    ks = _ks(means)
    if instance:
        return [*(f"acc@{k}" for k in ks[:3]), "mean_rank"]
    return ["map@all", f"map@{ks[-1]}:voc", f"map@{ks[-1]}:hits", f"p@{ks[0]}"]


def _tile(result: Evaluation, means: dict[str, float], name: str) -> dict[str, str]:
    return {"name": name, "value": format_value(name, means[name]), "interval": _interval(result, name)}


def _interval(result: Evaluation, name: str) -> str:
    if result.intervals is None:
        return ""
    low, high = result.intervals[name]
    return f"{format_value(name, low)} – {format_value(name, high)}"


def _metric(result: Evaluation, means: dict[str, float], name: str) -> dict[str, str]:
    return {
        "name": name,
        "value": format_value(name, means[name]),
        "interval": _interval(result, name),
        "other": format_value(name, result.other.scores.means()[name]) if result.other else "",
        "definition": definition(name),
    }


def _bars(result: Evaluation, main_name: str) -> list[Bar]:
    rows = [
        Bar(name, int(means["queries"]), means[main_name], format_value(main_name, means[main_name]))
        for name, means in result.per_class().items()
    ]
    return sorted(rows, key=lambda bar: (-bar.share, bar.name))


def _curves(result: Evaluation) -> list[tuple[str, NDArray[np.float64]]]:
    outcomes = [result.main, *([result.other] if result.other else [])]
    return [(f"gallery {outcome.task.gallery_variant}", outcome.curve) for outcome in outcomes]


def rank_bins(ranks: NDArray[np.int64], ranked: int) -> list[tuple[str, int, float]]:
    """(ranks, queries, queries by chance): single ranks in a short list, else wider and wider ranges."""
    ends = list(range(1, ranked + 1)) if ranked <= _EACH_RANK_UP_TO else [*(e for e in _BIN_ENDS if e < ranked), ranked]
    bins = []
    before = 0
    for end in ends:
        inside = int(((ranks > before) & (ranks <= end)).sum())
        name = str(end) if end == before + 1 else f"{before + 1}–{end}"
        bins.append((name, inside, len(ranks) * (end - before) / ranked))
        before = end
    return bins


def _confusion(found: Confusion | None) -> dict[str, Any] | None:
    if found is None:
        return None
    columns = (*found.classes, *found.others)
    pairs = [
        (float(found.shares[row, column]), found.classes[row], columns[column])
        for row in range(len(found.classes))
        for column in range(len(columns))
        if row != column and found.shares[row, column] > 0
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return {
        "chart": confusion_chart(found.classes, *found.collapsed()),
        "pairs": [(f"{100 * share:.1f}", of_query, of_photo) for share, of_query, of_photo in pairs[:CONFUSED_PAIRS]],
    }


def _strip(dataset: Dataset, thumbnails: Thumbnails, which: str, listed: Listed, ranked: int) -> dict[str, Any]:
    return {
        "which": which,
        "score": f"AP {100 * listed.precision:.1f}",
        "rank": listed.rank,
        "ranked": ranked,
        "query": {"uri": thumbnails.uri(listed.query), "path": listed.query.path},
        "photos": [
            {
                "uri": thumbnails.uri(photo),
                "path": photo.path,
                "name": dataset.classes[photo.label],
                "right": right,
                "place": place,
            }
            for place, (photo, right) in enumerate(listed.photos, start=1)
        ],
        "missed": {"uri": thumbnails.uri(listed.missed), "path": listed.missed.path} if listed.missed else None,
    }


def _paper(table: PaperTable, means: dict[str, float]) -> dict[str, Any]:
    """A published table with our numbers under its columns, one row for each possible definition of a column."""
    candidates = [our_names(metric) for metric in table.metrics]
    ours: Sequence[list[str]] = [
        [names[min(index, len(names) - 1)] for names in candidates] for index in range(max(map(len, candidates)))
    ]
    return {
        "title": table.paper,
        "metrics": table.metrics,
        "rows": [
            (name, ["–" if number is None else f"{number:.2f}".removesuffix("0") for number in numbers])
            for name, numbers in table.rows
        ],
        "ours": [
            (
                ", ".join(dict.fromkeys(names)),
                [format_value(name, means[name]) if name in means else "–" for name in names],
            )
            for names in ours
        ],
    }
