"""Published tables, and whether a result is comparable with them."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sketchseek.datasets import known_splits
from sketchseek.evaluation.protocols import Task
from sketchseek.neighbours import Look
from sketchseek.wording import counted

WARNING = (
    "Papers do not say which of the four definitions of mAP@K they use, and the definitions differ by 10 points and"
    " more on the same ranking; galleries with and without duplicates and classes of other splits pass under the same"
    " name. A difference of two or three points between rows of different papers, or between them and ours, says"
    " nothing about the methods."
)
_GENERALIZED = " No paper says which variant of the generalized protocol its numbers are of."


@dataclass(frozen=True)
class PaperTable:
    """A published table, in percent as printed; None if the paper has no number."""

    id: str
    paper: str
    protocol: str
    split: str
    metrics: tuple[str, ...]  # as the paper calls them
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]  # method, one number for each metric


@dataclass(frozen=True)
class Comparison:
    """Whether a result was measured like the papers', as far as sizes show, and a sentence about it."""

    comparable: bool | None  # None: not known, because the published sizes are not
    sentence: str


@cache
def paper_tables() -> tuple[PaperTable, ...]:
    """All shipped tables."""
    text = (files("sketchseek.evaluation") / "papers.toml").read_text(encoding="utf-8")
    return tuple(
        PaperTable(
            table["id"],
            table["paper"],
            table["protocol"],
            table["split"],
            tuple(table["metrics"]),
            tuple(
                (name, tuple(None if math.isnan(number) else float(number) for number in numbers))
                for name, *numbers in table["rows"]
            ),
        )
        for table in tomllib.loads(text)["table"]
    )


def tables_for(task: Task) -> tuple[PaperTable, ...]:
    """The tables of this protocol and this published split."""
    return tuple(table for table in paper_tables() if (table.protocol, table.split) == (task.protocol, task.split))


def our_names(metric: str) -> tuple[str, ...]:
    """The names of a paper's metric here: ``mAP@200`` may be either of the two definitions in common use."""
    name, _, k = metric.lower().partition("@")
    if name == "map" and k != "all":
        return f"map@{k}:voc", f"map@{k}:hits"
    return (f"{name}@{k}",)


def compare(task: Task, set_aside: int = 0, look: Look = "direct", chosen: bool = False) -> Comparison:
    """Compare the sizes of ``task`` with the published ones; ``set_aside`` queries were removed as support.

    ``chosen``: the model was adapted to one category by pictures that the user chose.
    """
    if chosen:
        return Comparison(False, "Not comparable: the model was adapted to one category by chosen pictures.")
    if look != "direct":
        return Comparison(False, "Not comparable: the ranking uses the gallery; the papers rank by the cosine alone.")
    if task.distractors:
        return Comparison(False, f"Not comparable: {counted(task.distractors, 'distractor')} in the gallery.")
    if task.subset:
        return Comparison(False, f"Not comparable: only a subset ({task.subset}) was evaluated here.")
    if task.variant == "across":
        return Comparison(False, "Not comparable: the papers rank the photos of the sketch's own class only.")
    if task.protocol == "generalized" and task.variant != "all-seen":
        return Comparison(
            False, f"Not comparable: the variant {task.variant} is not known to be the papers'." + _GENERALIZED
        )
    published = _published_sizes(task)
    if published is None:
        return Comparison(None, "Not known to be comparable: the size of the published gallery is not known.")
    here = {"queries": len(task.queries) + set_aside, "gallery": len(task.gallery)}
    for what in ("gallery", "queries"):
        if here[what] != published[what]:
            unit = "photos" if what == "gallery" else "sketches"
            size = "other gallery size" if what == "gallery" else "other number of queries"
            return Comparison(False, f"Not comparable: {size} ({here[what]:,} {unit} here, {published[what]:,} there).")
    return Comparison(True, WARNING + (_GENERALIZED if task.protocol == "generalized" else ""))


def _published_sizes(task: Task) -> dict[str, int] | None:
    counts = known_splits()[task.split].published if task.split else {}
    unseen, seen = counts.get("unseen", {}), counts.get("seen", {})
    photos = "basic_photos" if task.protocol == "fine-grained" else "photos"
    if "sketches" not in unseen or photos not in unseen:
        return None
    distractors = 0
    if task.protocol == "generalized":
        if "photos" not in seen:
            return None
        distractors = seen["photos"][0]
    return {"queries": unseen["sketches"][0], "gallery": unseen[photos][0] + distractors}
