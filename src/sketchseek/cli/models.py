"""``sketchseek models``: the models known by name, those on this machine, and what to do with them."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.get_model import get_and_say
from sketchseek.cli.options import YES
from sketchseek.cli.output import human_size, print_json, print_message, print_table
from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.hub.catalog import ListedModel


@click.group(short_help="Models to search with: list, get, check, remove, push.", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the models to search with and the backbones to train; get, check, remove or publish one.

    A model of the list that is not here is downloaded by its name: sketchseek models get clip. The name of any other
    CLIP or SigLIP on the hub works too, owner/model, and the path of a folder or file of weights.
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@command.command()
@click.argument("name", metavar="NAME|PATH")
@click.option("--name", "as_name", metavar="N", help="What to call it here.  [default: its short name]")
@click.option("--int8", is_flag=True, help="8 bits a weight: half the size, faster, nearly the same vectors.")
@YES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def get(name: str, as_name: str | None, int8: bool, yes: bool, as_json: bool) -> None:
    """Download the model NAME, or take the weights at PATH, and make it a model folder to search with.

    NAME is a short name that `sketchseek models` lists, or owner/model on the hub; PATH is a folder or a file of
    weights. Downloads are checked and, if interrupted, continued by the same command. From then on index, search and
    serve take the name as --model. torch is not needed; the extra `clip` is.
    """
    got = get_and_say(name, as_name=as_name, int8=int8, agreed=yes)
    if as_json:
        print_json({"name": got.name, "folder": str(got.folder), "new": got.new, "run": got.run})
    else:
        click.echo(got.name)


@command.command()
@click.argument("name", metavar="NAME|PATH")
@click.option("--vectors", metavar="FILE", help="Compare with these text vectors, .npz with names and vectors.")
def check(name: str, vectors: str | None) -> None:
    """Read every file of a model, run every graph, and compare its vectors with those it was made with.

    The text vectors of CLIP ViT-B/32 are also compared with genuine ones. The exit code is 1 if something is wrong.
    """
    from sketchseek.engine.check import check_model

    for line in check_model(name, vectors):
        click.echo(line)


@command.command()
@click.argument("name", metavar="NAME")
@YES
def remove(name: str, yes: bool) -> None:
    """Delete the model NAME from the models folder. Galleries indexed with it need another one afterwards."""
    from sketchseek.engine.get import remove_model

    def agree(size: int) -> None:
        if not yes:
            click.confirm(f"Delete the model {name} ({human_size(size)})?", abort=True, err=True)

    click.echo(f"{remove_model(name, agree)} deleted")


@command.command()
@click.argument("folder", metavar="RUN|MODEL")
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Only you can see it.")
@click.option("--dry-run", is_flag=True, help="Show the files and the model card; upload nothing.")
def push(folder: str, repository: str, private: bool, dry_run: bool) -> None:
    """Publish a run folder, or a model by name or folder, on the hub as OWNER/NAME.

    What is uploaded is a model card with figures, licence, data and recipe, and the weights as safetensors or ONNX. A
    run is also exported, so that searching can use it without torch. Weights that its backbone has are left out if the
    backbone is a model here: sketchseek models get BACKBONE. `sketchseek models get OWNER/NAME` reads it back. Log in
    first: hf auth login.
    """
    from sketchseek.engine.push import prepare
    from sketchseek.hub.upload import upload

    with TemporaryDirectory() as scratch:
        work = Path(scratch) / "made"
        work.mkdir()
        prepared = prepare(folder, repository, work, _exported(folder, Path(scratch) / "model"))
        if dry_run:
            print_table([(file.name, human_size(file.size)) for file in prepared.files])
            click.echo(f"\n{prepared.card}")
            return
        print_message(f"sketchseek: uploading {human_size(prepared.bytes)} to {repository} ...")
        click.echo(upload(prepared, private=private))


def _exported(source: str, out: Path) -> Path | None:
    """The model folder of a run; None, with a message, if it cannot be exported, and None for what is no run."""
    from sketchseek.engine.push import is_run

    if not is_run(source):
        return None
    print_message("sketchseek: exporting the run, so that others can search with it ...")
    try:
        from sketchseek.export import export

        return export(source, out).folder
    except (SketchseekError, ModuleNotFoundError) as error:
        print_message(f"sketchseek: it is published without a model to search with ({error})")
        return None


def _list(as_json: bool) -> None:
    from sketchseek.engine.known import known_models
    from sketchseek.hub.catalog import list_backbones

    models, backbones = known_models(), list_backbones()
    if as_json:
        print_json([_as_json(model) for model in (*models, *backbones)])
        return
    print_table(
        [
            (
                model.name,
                human_size(model.bytes) if model.bytes else "?",
                model.speed,
                model.languages,
                "here" if model.here else "",
                f"--model {model.name}" if model.here else f"sketchseek models get {model.name}",
                model.licence.partition(" (")[0],
                model.about,
            )
            for model in models
        ],
        header=("to search with", "size", "speed", "languages", "", "type", "licence", "about"),
    )
    click.echo()
    print_table(
        [
            (
                model.name,
                human_size(model.bytes) if model.bytes else "?",
                "here" if model.here else "download",
                "pinned" if model.pinned else "",
                model.licence.partition(" (")[0],
                model.about,
            )
            for model in backbones
        ],
        header=("to train", "size", "where", "", "licence", "about"),
    )


def _as_json(model: "ListedModel") -> dict[str, Any]:
    return {**asdict(model), "path": str(model.path) if model.path else None}
