"""Options that several commands share."""

import os

import click

GALLERY = click.option(
    "--gallery",
    metavar="G",
    help="Folder of the gallery, or milvus://HOST:19530/NAME.  [default: $SKETCHSEEK_GALLERY, else your data folder]",
)


def _keep(_: click.Context, __: click.Parameter, roots: tuple[str, ...]) -> None:
    """Into the environment, where every gallery that is opened looks, also in processes that this one starts."""
    if roots:
        from sketchseek.gallery.roots import ROOTS, named

        os.environ[ROOTS] = "\n".join(f"{name}={folder}" for name, folder in named(roots).items())


ROOT = click.option(
    "--root",
    metavar="NAME=FOLDER",
    multiple=True,
    expose_value=False,
    callback=_keep,
    help="Where a root of a gallery on a server is on this machine; may be given several times.  "
    "[default: $SKETCHSEEK_ROOTS]",
)
