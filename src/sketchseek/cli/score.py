"""``sketchseek score``: measure the vectors of any model."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import print_json, print_table
from sketchseek.cli.progress import counting
from sketchseek.wording import counted

if TYPE_CHECKING:
    from sketchseek.evaluation.ranking import Ranks
    from sketchseek.evaluation.relevance import By
    from sketchseek.evaluation.vectors.npz import VectorSet


class Cutoffs(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them: ``100,200``."""

    name = "K,K,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**9 for part in parts):
            self.fail(f"{value!r} is not a list of whole numbers of at least 1, such as 100,200", param, ctx)
        return tuple(sorted({int(part) for part in parts}))


@click.command(short_help="Measure the vectors of any model with every metric.")
@click.option("--queries", required=True, type=click.Path(path_type=Path), help="The sketches' vectors, an .npz file.")
@click.option("--gallery", required=True, type=click.Path(path_type=Path), help="The photos' vectors, an .npz file.")
@click.option("--k", "ks", type=Cutoffs(), help="Cut-offs.  [default: 100,200; by instance 1,5,10]")
@click.option(
    "--by",
    type=click.Choice(["label", "instance"]),
    default="label",
    show_default=True,
    help="Which photos are right: all of the sketch's class, or only the one it was drawn from.",
)
@click.option("--within-class", is_flag=True, help="With --by instance: rank only photos of the sketch's class.")
@click.option("--per-class", is_flag=True, help="Also print the means of each class.")
@click.option(
    "--bootstrap",
    type=click.IntRange(0, 100_000),
    default=0,
    metavar="N",
    help="Compute 95% intervals from N resamples.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the resamples.")
@click.option(
    "--result",
    "result_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a result file: scores, definitions, hashes and a digest. Requires --model and --about.",
)
@click.option("--model", metavar="NAME", help="For --result: the model that made the vectors.")
@click.option("--about", metavar="WORDS", help="For --result: what the vectors are of, in words.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    queries: Path,
    gallery: Path,
    ks: tuple[int, ...] | None,
    by: "By",
    within_class: bool,
    per_class: bool,
    bootstrap: int,
    seed: int,
    result_file: Path | None,
    model: str | None,
    about: str | None,
    as_json: bool,
) -> None:
    """Measure the vectors of any model with every metric, each under the name of its definition.

    Both files hold the arrays `vectors` (rows, size) and `labels` (rows). --by instance also requires `instances`
    (rows): the photo that a sketch was drawn from, or the photo itself. If the queries have them, --bootstrap draws
    photos, each with all its sketches. `names` (rows) is optional and appears in messages. Photos are ranked by
    cosine; of photos with equal scores, wrong ones come first.
    """
    if within_class and by == "label":
        raise click.UsageError("--within-class requires --by instance: by label, every photo of the class is right")
    if (result_file is None) != (model is None) or (result_file is None) != (about is None):
        raise click.UsageError("--result, --model and --about belong together: name all three or none")
    from sketchseek.evaluation.metrics import DEFAULT_KS
    from sketchseek.evaluation.vectors.npz import check_pair, load_vectors

    sketches, photos = load_vectors(queries), load_vectors(gallery)
    check_pair(sketches, photos, instances=by == "instance")
    found = result(sketches, photos, ks or DEFAULT_KS[by], by, within_class, per_class, bootstrap, seed)
    if result_file and model and about:
        from sketchseek.evaluation.results import result_of_vectors, write_result

        write_result(result_file, result_of_vectors(found, sketches, photos, model, about))
    if as_json:
        print_json(found)
    else:
        describe(found)


def result(
    queries: "VectorSet",
    gallery: "VectorSet",
    ks: tuple[int, ...],
    by: "By",
    within_class: bool,
    per_class: bool,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """The whole result of ``score`` as plain data."""
    import numpy as np

    from sketchseek.evaluation.bootstrap import LEVEL
    from sketchseek.evaluation.ranking import TIES, rank_relevant
    from sketchseek.evaluation.relevance import by_instance, by_label
    from sketchseek.evaluation.scoring import score

    start = time.perf_counter()
    if by == "instance":
        assert queries.instances is not None and gallery.instances is not None
        relevance = by_instance(
            queries.labels, gallery.labels, queries.instances, gallery.instances, within_class=within_class
        )
    else:
        relevance = by_label(queries.labels, gallery.labels)
    scores = score(_with_bar(rank_relevant(queries.vectors, gallery.vectors, relevance), len(queries)), ks)
    found: dict[str, Any] = {
        "metrics": scores.means(),
        "queries": len(scores.rows),
        "queries_without_relevant": len(queries) - len(scores.rows),
        "gallery": len(gallery),
        "classes": len(np.unique(queries.labels[scores.rows])),
        "by": by,
        "within_class": within_class,
        "ties": TIES,
    }
    if bootstrap:
        unit, drawn = "query", None
        if queries.instances is not None:  # sketches of one photo are not independent
            pairs = by_instance(
                queries.labels, queries.labels, queries.instances, queries.instances, within_class=False
            )
            unit, drawn = "photo", pairs.query_keys
        found["intervals"] = scores.intervals(resamples=bootstrap, seed=seed, clusters=drawn)
        found["bootstrap"] = {"resamples": bootstrap, "seed": seed, "level": LEVEL, "unit": unit}
    if per_class:
        found["per_class"] = scores.per_class(queries.labels)
    return found | {"seconds": round(time.perf_counter() - start, 3)}


def describe(found: dict[str, Any]) -> None:
    """Print the result for people."""
    scope = ", each within its class" if found["within_class"] else ""
    right = "the paired photo" if found["by"] == "instance" else "photos of its class"
    click.echo(
        f"{counted(found['queries'], 'query', 'queries')} of {counted(found['classes'], 'class', 'classes')}"
        f" against {counted(found['gallery'], 'photo')}{scope};"
        f" right: {right}; ties {found['ties']}; {found['seconds']} s"
    )
    if found["queries_without_relevant"]:
        left_out = counted(found["queries_without_relevant"], "query", "queries")
        click.echo(f"left out: {left_out} without a right photo in the gallery")
    intervals = found.get("intervals")
    header = ["metric", "mean", *(["95% from", "to"] if intervals else [])]
    rows = [
        [name, *(f"{number:.4f}" for number in (mean, *(intervals[name] if intervals else ())))]
        for name, mean in found["metrics"].items()
    ]
    click.echo()
    print_table(rows, header)
    if "per_class" in found:
        chosen = ("acc@", "mean_rank") if found["by"] == "instance" else ("map@all", "map@", "p@")
        shown = [
            n for n in found["metrics"] if n.startswith(chosen) and not n.endswith((":interpolated", ":k", ":min"))
        ]
        click.echo()
        print_table(
            [
                [label, str(means["queries"]), *(f"{means[n]:.4f}" for n in shown)]
                for label, means in found["per_class"].items()
            ],
            ["class", "queries", *shown],
        )


def _with_bar(ranks: "Iterable[Ranks]", queries: int) -> "Iterator[Ranks]":
    """The same ``ranks``, with a progress bar."""
    with counting("ranking", queries) as advance:
        for part in ranks:
            yield part
            advance(len(part.queries))
