"""``sketchseek models``: the models known by name, and the ones on this machine."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sketchseek.cli.output import human_size, print_json, print_table
from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.hub.catalog import ListedModel


@click.command(short_help="List the models to search with and the backbones to train.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """List the models known by name: model folders to search with, and backbones to train or export.

    A backbone that is not on this machine is downloaded when it is first used. The path of a folder in Hugging Face
    format (config.json, model.safetensors, tokenizer.json) works as a name too. sketchseek export turns a backbone
    into a model folder.
    """
    from sketchseek.hub.catalog import list_backbones

    listed = [*_model_folders(), *list_backbones()]
    if as_json:
        print_json([{**asdict(model), "path": str(model.path) if model.path else None} for model in listed])
        return
    print_table(
        [
            (
                model.name,
                "searches" if model.kind == "model" else "trains",
                "here" if model.here else "download",
                human_size(model.bytes) if model.bytes else "?",
                "pinned" if model.pinned else "",
                model.licence.partition(" (")[0],
                model.about,
            )
            for model in listed
        ],
        header=("name", "what it does", "where", "size", "", "licence", "about"),
    )


def _model_folders() -> "Iterator[ListedModel]":
    from sketchseek.engine import list_models
    from sketchseek.engine.folder import read_record
    from sketchseek.engine.models import shipped_models
    from sketchseek.hub.catalog import ListedModel

    for name, folder in list_models().items():
        size = sum(path.stat().st_size for path in folder.iterdir())
        try:
            record = read_record(folder)
            about, licence = record.about, record.licence
        except SketchseekError as error:
            about, licence = f"cannot be used: {error}", ""
        yield ListedModel(name, "model", about, licence, True, folder, size, pinned=name in shipped_models())
