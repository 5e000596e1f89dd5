"""``sketchseek evaluate``: measure a model on a dataset with a standard protocol."""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.options import SUPPORT
from sketchseek.cli.output import print_json, print_message, print_table
from sketchseek.cli.progress import stages
from sketchseek.cli.score import Cutoffs
from sketchseek.errors import SketchseekError
from sketchseek.installation import install_command
from sketchseek.wording import counted

if TYPE_CHECKING:
    from sketchseek.evaluation.evaluate import Evaluation
    from sketchseek.evaluation.protocols import Mixture, ProtocolName
    from sketchseek.neighbours import Look

PROTOCOLS = ("zero-shot", "generalized", "cross", "fine-grained")
LOOKS = ("direct", "picture", "both", "kind")
VARIANTS = ("all-seen", "ocean", "dr-clip", "held-out")


@click.command(short_help="Measure a model on a dataset with a standard protocol.")
@click.option("--model", "model_name", required=True, metavar="M", help="Name or folder of a model.")
@click.option("--trust-pickle", is_flag=True, help="Allow weights saved as pickles; only if you trust their author.")
@click.option(
    "--data", required=True, type=click.Path(), help="Folder of the dataset; for cross, of the target dataset."
)
@click.option(
    "--as",
    "as_name",
    metavar="NAME",
    help="Name of the dataset: sketchy, tuberlin, quickdraw or custom.  [default: recognised by its folders]",
)
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="zero-shot", show_default=True, help="What to measure."
)
@click.option(
    "--classes",
    metavar="GROUP|SPLIT|A,B,C",
    help="Classes of the queries: unseen, val, ... of the dataset, a published split, or names.  [default: unseen]",
)
@click.option(
    "--variant",
    type=click.Choice(VARIANTS),
    help="For generalized: which seen classes join the gallery or the queries.  [default: all-seen]",
)
@click.option("--source", metavar="SPLIT", help="For cross: the split the model was trained on.  [default: sketchy-25]")
@click.option("--across", is_flag=True, help="For fine-grained: rank the photos of all classes together.")
@click.option(
    "--transductive",
    is_flag=True,
    help="For a model adapted to a category: keep its support sketches as queries.",
)
@click.option(
    "--category",
    metavar="NAME",
    help="Class to adapt a fine-grained DP-CLIP to; fine-grained measures it alone.",
)
@SUPPORT
@click.option(
    "--gallery",
    type=click.Choice(["zse", "dedup"]),
    help="Rank every photo file, or each photo once; both results are shown if they differ.  [default: zse]",
)
@click.option(
    "--subset",
    metavar="RULES",
    help="Use only a part: every-N-sketches, every-N-photos, N-sketches-per-class or"
    " N-photos-per-class; separate two by a comma.",
)
@click.option(
    "--look",
    type=click.Choice(LOOKS),
    default="direct",
    show_default=True,
    help="Ranking: by each photo alone, or by its neighbours in the gallery as well, as searches do.",
)
@click.option(
    "--distractors",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Add the photos in this folder to the gallery; they are right for no sketch. Repeatable.",
)
@click.option("--k", "ks", type=Cutoffs(), help="Cut-offs.  [default: 100,200; fine-grained 1,5,10]")
@click.option(
    "--bootstrap",
    type=click.IntRange(0, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Compute 95% intervals from N resamples; 0 for none.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--skip-broken", is_flag=True, help="Skip pictures that cannot be opened, and list them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE", help="Also write one HTML page with pictures."
)
@click.option(
    "--result",
    "result_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a result file: scores, definitions, hashes and a digest. Requires --about.",
)
@click.option("--about", metavar="WORDS", help="For --result: what the data is, in words.")
@click.option("--figures", type=click.Path(path_type=Path), metavar="DIR", help="Also write figures as PNG and SVG.")
@click.option("--device", help="Where the model runs: cpu, cuda, ...  [default: a GPU if there is one]")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that keeps vectors.  [default: $SKETCHSEEK_CACHE, else your cache folder]",
)
@click.option("--no-cache", is_flag=True, help="Do not keep vectors, and do not use kept ones.")
def command(
    model_name: str,
    trust_pickle: bool,
    data: str,
    as_name: str | None,
    protocol: "ProtocolName",
    classes: str | None,
    variant: "Mixture | None",
    source: str | None,
    across: bool,
    transductive: bool,
    category: str | None,
    support: tuple[Path, ...],
    gallery: Any,
    subset: str | None,
    look: "Look",
    distractors: tuple[Path, ...],
    ks: tuple[int, ...] | None,
    bootstrap: int,
    seed: int,
    skip_broken: bool,
    as_json: bool,
    report: Path | None,
    result_file: Path | None,
    about: str | None,
    figures: Path | None,
    device: str | None,
    cache: Path | None,
    no_cache: bool,
) -> None:
    """Measure a model: encode sketches and photos, rank the photos for each sketch, score the ranking.

    Vectors are kept by model and file content, so a second run encodes nothing.
    """
    drawn_support = transductive and category is None
    _check_usage(protocol, variant, source, across, drawn_support, gallery, cache if no_cache else None)
    if distractors and protocol == "fine-grained" and not across:
        raise click.UsageError("--distractors with --protocol fine-grained requires --across")
    if support and category is None:
        raise click.UsageError("--support is of a category: name it with --category")
    if (result_file is None) != (about is None):
        raise click.UsageError("--result and --about belong together: name both or none")
    from sketchseek.caches import cache_folder
    from sketchseek.datasets import open_dataset
    from sketchseek.evaluation.evaluate import Options, evaluate
    from sketchseek.evaluation.protocols import ProtocolOptions
    from sketchseek.evaluation.subset import EVERYTHING, parse_subset
    from sketchseek.evaluation.vectors.cache import VectorCache
    from sketchseek.evaluation.vectors.category import Category, label_of
    from sketchseek.loading import load_model

    _check_outputs({"report": report, "result": result_file}, figures)
    dataset = open_dataset(data, as_name)
    adapt_to = None if category is None else Category(category, support)
    if classes is None:
        # The comma makes it the name of a class, not of a group.
        classes = f"{label_of(adapt_to, dataset)}," if adapt_to and protocol == "fine-grained" else "unseen"
    protocol_options = ProtocolOptions(
        protocol,
        classes,
        variant or "all-seen",
        source or "sketchy-25",
        across,
        parse_subset(subset) if subset else EVERYTHING,
        seed,
    )
    options = Options(gallery, ks, bootstrap, skip_broken, transductive, look, distractors, adapt_to)
    if dataset.problems:
        kinds = counted(len(dataset.problems), "kind of problem", "kinds of problems")
        print_message(f"{kinds} in {data}: sketchseek datasets check lists them")
    model = load_model(model_name, device=device, trust_pickle=trust_pickle)
    folder = None if no_cache else cache or cache_folder()
    with VectorCache(folder, print_message) as vectors, stages() as update:
        result = evaluate(model, dataset, protocol_options, vectors, options, update)
    if report:
        from sketchseek.evaluation.report.page import write_report

        write_report(result, report, shlex.join(["sketchseek", *sys.argv[1:]]))
        print_message(f"report: {report}")
    if result_file and about:
        from sketchseek.evaluation.results import result_of_evaluation, write_result

        write_result(result_file, result_of_evaluation(result, about))
        print_message(f"result: {result_file}")
    if figures:
        from sketchseek.evaluation.report.figures import write_figures

        print_message("figures: " + ", ".join(str(path) for path in write_figures(result, figures)))
    if as_json:
        print_json(result.to_json())
    else:
        describe(result)


def _check_usage(
    protocol: str,
    variant: str | None,
    source: str | None,
    across: bool,
    transductive: bool,
    gallery: str | None,
    unused_cache: Path | None,
) -> None:
    """Reject options that the protocol would ignore."""
    wrong = [
        ("--variant", variant, "generalized"),
        ("--source", source, "cross"),
        ("--across", across, "fine-grained"),
        ("--transductive", transductive, "fine-grained"),
    ]
    for option, value, needed in wrong:
        if value and protocol != needed:
            raise click.UsageError(f"{option} requires --protocol {needed}")
    if gallery and protocol == "fine-grained":
        raise click.UsageError("--gallery cannot be used with --protocol fine-grained, which ranks each photo once")
    if unused_cache:
        raise click.UsageError("--cache and --no-cache exclude each other")


def _check_outputs(pages: dict[str, Path | None], figures: Path | None) -> None:
    """Reject outputs that cannot be written before hours of encoding, not after."""
    for what, file in pages.items():
        if file and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise SketchseekError(f"the {what} cannot be written to {file}: name a file in a folder that exists")
    if figures and figures.exists() and not figures.is_dir():
        raise SketchseekError(f"the figures cannot be written to {figures}, which is not a folder: name another")
    if figures and find_spec("matplotlib") is None:
        raise SketchseekError(f"figures require matplotlib; run: {install_command('matplotlib')}, or omit --figures")


def describe(result: "Evaluation") -> None:
    """Print the result for people."""
    from sketchseek.evaluation.ranking import TIES
    from sketchseek.evaluation.second_look import USES_GALLERY

    task = result.main.task
    sizes = task.sizes()
    name = f"{task.protocol} ({task.variant})" if task.variant else task.protocol
    click.echo(
        f"{result.model['name']}, {result.dataset.name}, {name}, {counted(len(task.classes), 'class', 'classes')}"
    )
    if task.subset:
        click.echo(f"SUBSET {task.subset}: not the numbers of the whole protocol")
    if result.look != "direct":
        click.echo(f"LOOK {result.look} {USES_GALLERY}; published numbers are of the look direct")
    if task.distractors:
        click.echo(f"DISTRACTORS: {counted(task.distractors, 'photo')} right for no sketch are in the gallery")
    others = f", {sizes['of_other_classes']} of them of other classes" if sizes["of_other_classes"] else ""
    click.echo(f"queries: {task.sentences['queries']}: {len(task.queries)}")
    click.echo(f"gallery: {task.sentences['gallery']}: {len(task.gallery)}{others}")
    click.echo(f"gallery variant {task.sentences['gallery_variant']}")
    click.echo(f"right: {task.sentences['relevance']}; ties {TIES}")
    for sentence in result.notes:
        click.echo(f"note: {sentence}")
    for what, items in result.excluded.items():
        if items:
            click.echo(f"left out of the {what}: {len(items)} that cannot be opened: {', '.join(list(items)[:5])}")
    encoded = ", ".join(f"{count} {what}" for what, count in result.computed.items())
    click.echo(f"encoded now: {encoded}; {result.seconds} s\n")
    means, intervals = result.main.scores.means(), result.intervals
    other = result.other.scores.means() if result.other else None
    chosen = result.headline()
    header = ["metric", task.gallery_variant if other else "mean", *(["95% from", "to"] if intervals else [])]
    rows = [
        [name, *(f"{number:.4f}" for number in (means[name], *(intervals[name] if intervals else ())))]
        for name in chosen
    ]
    if result.other and other:
        header.append(f"{result.other.task.gallery_variant} ({len(result.other.task.gallery)} photos)")
        rows = [[*row, f"{other[name]:.4f}"] for row, name in zip(rows, chosen, strict=True)]
    print_table(rows, header)
