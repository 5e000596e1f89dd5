"""Start the server with the options of ``sketchseek serve``."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click
from threadpoolctl import threadpool_limits

from sketchseek.caches import thumbnails_folder
from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.gallery.paths import absolute
from sketchseek.server.app import create_app
from sketchseek.server.http_server import bind, run, url_of
from sketchseek.server.places import Places, usual_places
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.protection.guard import MIN_TOKEN_LENGTH, MIN_TOKEN_VARIETY, allowed_hosts
from sketchseek.server.protection.limits import Limits
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.reveal import revealer
from sketchseek.server.service import Service
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
    places: Sequence[Path] = (),
) -> None:
    """Check the options, then serve until Ctrl-C or SIGTERM.

    ``places``: the page may add folders below these; default: the home folder and mounted drives.
    """
    _check_token(host, token)
    _check_folders([*folders, *places])
    # A query's matrices are too small to share among cores: threads that wait for each other would hold up the page.
    threadpool_limits(1, user_api="blas")
    with Gallery.open(gallery, model) as opened:
        path = opened.path
        listener = bind(host, port)
        encoder = QueryEncoder(opened.model)
    limits = Limits()
    service = Service(
        gallery=Gallery.open(path, encoder),
        encoder=encoder,
        indexing=Indexing(),
        thumbnails=Thumbnails(thumbnails_folder(), limits.thumbnail_bytes),
        limits=limits,
        places=Places([Path(os.fsdecode(absolute(place))) for place in places] or usual_places()),
        new_model=model,
        reveal=revealer() if token is None else None,  # with a token, the browser may be on another machine
    )
    url = url_of(listener, host)
    click.echo(url)
    click.echo(f"sketchseek: serving the gallery {shown(path)}; press Ctrl-C to stop", err=True)
    service.warm()
    if folders:
        service.indexing.start(path, folders, model)
    login = f"{url}?token={quote(token, safe='')}" if token else url
    app = create_app(service, host=host, token=token)
    run(app, listener, open_at=login if browser else None, at_exit=service.kill)


def _check_token(host: str, token: str | None) -> None:
    if token is None and allowed_hosts(host) is None:
        raise SketchseekError(
            f"--host {host} accepts requests from other machines; set a secret with --token or SKETCHSEEK_TOKEN."
        )
    if token is None:
        return
    if len(token) < MIN_TOKEN_LENGTH:
        weakness = f"is too short; use at least {MIN_TOKEN_LENGTH} characters"
    elif not token.isascii() or not token.isprintable() or " " in token:
        weakness = "must consist of ASCII letters, digits and signs, without spaces"
    elif len(set(token)) < MIN_TOKEN_VARIETY:
        weakness = f"is easy to guess; use at least {MIN_TOKEN_VARIETY} different characters"
    else:
        return
    raise SketchseekError(f"--token {weakness}, such as {secrets.token_urlsafe()}")


def _check_folders(folders: Sequence[Path]) -> None:
    """Report a mistyped name now, not later on the page."""
    for folder in folders:
        if not folder.is_dir():
            raise SketchseekError(f"there is no folder {shown(folder)}; give folders of photos.")
