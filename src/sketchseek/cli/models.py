"""``sketchseek models``: the backbones known by name, and those on this machine."""

from dataclasses import asdict

import click

from sketchseek.cli.output import human_size, print_json, print_table


@click.command(short_help="List the shipped and the downloaded backbones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """List the backbones that can be named: the published ones, and what lies on this machine.

    A name that is not here is downloaded when it is first used. A path to a folder in Hugging Face format (config.json,
    model.safetensors, tokenizer.json) serves as a name too.
    """
    from sketchseek.clip.catalog import list_backbones

    listed = list_backbones()
    if as_json:
        print_json([{**asdict(model), "path": str(model.path) if model.path else None} for model in listed])
        return
    print_table(
        [
            (
                model.name,
                "here" if model.here else "download",
                human_size(model.bytes) if model.bytes else "?",
                "pinned" if model.pinned else "",
                model.licence.partition(" (")[0],
                model.about,
            )
            for model in listed
        ],
        header=("name", "where", "size", "", "licence", "about"),
    )
