"""Options that several commands share."""

import os
from pathlib import Path

import click


def _expanded(_: click.Context, __: click.Parameter, gallery: str | None) -> str | None:
    """The shell expands ``~`` after a space, but not in ``--gallery=~/photos``."""
    return os.path.expanduser(gallery) if gallery and gallery.startswith("~") else gallery  # noqa: PTH111 - any text


GALLERY = click.option(
    "--gallery",
    metavar="G",
    callback=_expanded,
    help="Folder of the gallery, or milvus://HOST:19530/NAME.  [default: $SKETCHSEEK_GALLERY, else your data folder]",
)


def _put_into_environment(_: click.Context, __: click.Parameter, roots: tuple[str, ...]) -> None:
    """Every gallery that is opened reads the environment, also in processes that this one starts."""
    if roots:
        from sketchseek.gallery.roots import ROOTS, named

        os.environ[ROOTS] = "\n".join(f"{name}={folder}" for name, folder in named(roots).items())


ROOT = click.option(
    "--root",
    metavar="NAME=FOLDER",
    multiple=True,
    expose_value=False,
    callback=_put_into_environment,
    help="For a gallery on a server: the folder of its root NAME on this machine; may be repeated.  "
    "[default: $SKETCHSEEK_ROOTS]",
)

COUNT = click.option(
    "-k",
    "count",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Maximum number of hits.",
)

SUPPORT = click.option(
    "--support",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Picture of the category; name as many as the run was trained with, sketches first.",
)

PATHS0 = click.option("--paths0", is_flag=True, help="Print paths only, each followed by a NUL byte, for xargs -0.")

YES = click.option("--yes", is_flag=True, help="Do not ask before a download or a deletion.")


def _choose_device(_: click.Context, __: click.Parameter, device: str | None) -> None:
    """Check it now; every model that is loaded reads the environment, also in processes that this one starts."""
    if device is not None:
        from sketchseek.engine.sessions import VARIABLE, pick_provider

        os.environ[VARIABLE] = pick_provider(device)


DEVICE = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "coreml", "directml", "openvino"], case_sensitive=False),
    expose_value=False,
    callback=_choose_device,
    help="Where the model runs; doctor shows what works here.  [default: $SKETCHSEEK_PROVIDER, else cpu]",
)
