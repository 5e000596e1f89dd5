"""``sketchseek export``: turn a run or a backbone into a model folder, which searching uses without torch."""

from pathlib import Path

import click

from sketchseek.cli.options import SUPPORT
from sketchseek.cli.output import print_message
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command


@click.command(short_help="Export a run or a backbone as a model folder to search with.")
@click.argument("source", metavar="RUN|BACKBONE")
@click.option(
    "--out",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    required=True,
    help="Model folder to write; must not exist yet.",
)
@click.option(
    "--data",
    metavar="ROOT",
    type=click.Path(path_type=Path),
    help="Dataset on whose validation classes the cost of --int8 is measured.",
)
@click.option(
    "--int8", is_flag=True, help="Round weights to 8 bits: a quarter of the size, and faster. Requires --data."
)
@click.option("--category", metavar="NAME", help="Category to adapt a fine-grained DP-CLIP to, in words.")
@SUPPORT
@click.option("--trust-pickle", is_flag=True, help="Allow weights saved as pickles; only if you trust their author.")
def command(
    source: str,
    out: Path,
    data: Path | None,
    int8: bool,
    category: str | None,
    support: tuple[Path, ...],
    trust_pickle: bool,
) -> None:
    """Export RUN (a run folder of sketchseek train) or BACKBONE as a model folder.

    A model folder is what index, search and serve accept as --model. It does not need torch. Its results are compared
    with torch before it is written. The model's identity is printed on stdout.
    """
    try:
        from sketchseek.evaluation.vectors.category import Category
        from sketchseek.export import export
        from sketchseek.export.card import figures
    except ModuleNotFoundError as error:
        raise SketchseekError(
            f"exporting requires {error.name}, which is not installed; run: {extra_command('train')}"
        ) from None

    def report(step: str) -> None:
        print_message(f"sketchseek: {step} ...")

    if support and category is None:
        raise click.UsageError("--support is of a category: name it with --category")
    adapt_to = None if category is None else Category(category, support)
    encoder = export(source, out, int8=int8, data=data, trust_pickle=trust_pickle, category=adapt_to, report=report)
    for line in figures(encoder.record):
        print_message(f"sketchseek: {line}")
    print_message(f"sketchseek: {source} was exported to {out}; search with --model {out}")
    click.echo(encoder.identity)
