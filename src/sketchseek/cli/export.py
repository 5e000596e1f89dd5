"""``sketchseek export``: a run or a backbone becomes a model folder, which search uses without torch."""

from pathlib import Path

import click

from sketchseek.errors import SketchseekError


@click.command(short_help="Write a run or a backbone as a model folder to search with.")
@click.argument("source", metavar="RUN|BACKBONE")
@click.option(
    "--out", metavar="MODEL", type=click.Path(path_type=Path), required=True, help="Model folder to write; a new one."
)
@click.option(
    "--data",
    metavar="ROOT",
    type=click.Path(path_type=Path),
    help="Dataset on whose validation classes relevance, and the cost of --int8, are measured.",
)
@click.option("--int8", is_flag=True, help="Round to 8 bits: a quarter of the size, and faster. Needs --data.")
@click.option("--trust-pickle", is_flag=True, help="Open weights that are pickles, whose author you trust.")
def command(source: str, out: Path, data: Path | None, int8: bool, trust_pickle: bool) -> None:
    """Write RUN, a run folder of sketchseek train, or BACKBONE as a model folder.

    A model folder is what index, search and serve take as --model. It needs no torch. What it computes is compared with
    torch before it is written. stdout has one line, the model's identity.
    """
    try:
        from sketchseek.export import export
        from sketchseek.export.card import figures
    except ModuleNotFoundError as error:
        raise SketchseekError(
            f"exporting needs {error.name}, which is not installed: pip install 'sketchseek[train]'"
        ) from None

    def tell(what: str) -> None:
        click.echo(f"sketchseek: {what} ...", err=True)

    encoder = export(source, out, int8=int8, data=data, trust_pickle=trust_pickle, tell=tell)
    for line in figures(encoder.record):
        click.echo(f"sketchseek: {line}", err=True)
    click.echo(f"sketchseek: {source} is written to {out}; search with --model {out}", err=True)
    click.echo(encoder.identity)
