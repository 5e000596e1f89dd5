"""``sketchseek serve``: the page to draw on, and its HTTP API."""

from pathlib import Path

import click

from sketchseek.cli.get_model import model_for
from sketchseek.cli.options import DEVICE, GALLERY, ROOT, YES


@click.command(short_help="Open the page to draw on, and its HTTP API.")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@GALLERY
@ROOT
@click.option("--model", metavar="M", help="Model that encodes photos and queries.  [default: the gallery's own]")
@YES
@DEVICE
@click.option("--host", metavar="H", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--browse",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The page may add folders below this one; may be repeated.  [default: your home folder and mounted drives]",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in the browser.")
@click.option(
    "--token",
    metavar="T",
    envvar="SKETCHSEEK_TOKEN",
    help="Secret that clients must send; required if other machines can reach --host.  [default: $SKETCHSEEK_TOKEN]",
)
def command(
    folders: tuple[Path, ...],
    gallery: str | None,
    model: str | None,
    yes: bool,
    host: str,
    port: int,
    browse: tuple[Path, ...],
    no_browser: bool,
    token: str | None,
) -> None:
    """Serve the page to draw on, and its HTTP API, until Ctrl-C.

    FOLDERs are indexed in the background; more can be added on the page. The address is printed on stdout. Only this
    machine can reach it, unless you set --host and --token.
    """
    from sketchseek.server.start import serve

    serve(
        folders,
        gallery=gallery,
        model=model_for(model, yes=yes),
        host=host,
        port=port,
        token=token,
        browser=not no_browser,
        places=browse,
    )
