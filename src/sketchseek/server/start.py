"""From the command line's options to a running server."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click
from platformdirs import user_cache_path

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.server.app import create_app
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.protection.guard import SHORTEST_TOKEN, allowed_hosts
from sketchseek.server.protection.limits import Limits
from sketchseek.server.query_encoder import Encoder
from sketchseek.server.service import Service
from sketchseek.server.serving import bind, run, url_of
from sketchseek.server.thumbnails import Thumbnails
from sketchseek.wording import shown


def serve(
    folders: Sequence[Path],
    *,
    gallery: str | None,
    model: str | None,
    host: str,
    port: int,
    token: str | None,
    browser: bool,
) -> None:
    """Check everything that can be wrong, then serve until told to end."""
    _check_token(host, token)
    with Gallery.open(gallery, model, create=bool(folders) or gallery is None) as opened:
        path = opened.path
        _check_folders(folders)
        listener = bind(host, port)
        encoder = Encoder(opened.model)
    limits = Limits()
    service = Service(
        gallery=Gallery.open(path, encoder),
        encoder=encoder,
        indexing=Indexing(),
        thumbnails=Thumbnails(user_cache_path("sketchseek", appauthor=False) / "thumbnails", limits.thumbnail_bytes),
        limits=limits,
    )
    url = url_of(listener, host)
    click.echo(url)
    click.echo(f"sketchseek: serving the gallery {shown(path)}; end with Ctrl-C", err=True)
    service.warm()
    if folders:
        service.indexing.start(path, folders, model)
    login = f"{url}?token={quote(token, safe='')}" if token else url
    run(create_app(service, host=host, token=token), listener, open_at=login if browser else None)


def _check_token(host: str, token: str | None) -> None:
    if token is None and allowed_hosts(host) is None:
        raise SketchseekError(
            f"--host {host} lets other machines in: give a secret for those who may, with --token or SKETCHSEEK_TOKEN."
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise SketchseekError(
            f"--token is too easy to guess; take at least {SHORTEST_TOKEN} letters, such as {secrets.token_urlsafe()}"
        )


def _check_folders(folders: Sequence[Path]) -> None:
    """Said now rather than on the page: a mistyped name."""
    for folder in folders:
        if not folder.is_dir():
            raise SketchseekError(f"there is no folder {shown(folder)}; name folders of photos.")
