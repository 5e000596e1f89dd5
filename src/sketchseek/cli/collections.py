"""``sketchseek collections``: photos that belong together, and saved searches, kept in the gallery."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sketchseek.cli.groups import SuggestingGroup
from sketchseek.cli.options import COUNT, GALLERY, PATHS0, ROOT
from sketchseek.cli.output import print_json, print_message, print_paths, print_table
from sketchseek.cli.photos import copy_photos, print_hits
from sketchseek.wording import counted, shown

if TYPE_CHECKING:
    from sketchseek.gallery import Gallery

_ID = re.compile(r"[0-9a-f]{16}")

NAME = click.argument("name", metavar="NAME")
PHOTOS = click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(cls=SuggestingGroup, short_help="Photos that belong together: list, add, remove, rename, export.")
def command() -> None:
    """Collections of photos, kept in the gallery. They change no photo, and a photo may be in many."""


@command.command("list")
@GALLERY
@ROOT
@JSON
def list_all(gallery: str | None, as_json: bool) -> None:
    """List all collections."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, readonly=True) as opened:
        found = opened.collections.all()
    if as_json:
        print_json(
            [
                {"name": one.name, "photos": one.photos, "missing": one.missing, "made": one.made.isoformat()}
                for one in found
            ]
        )
    elif found:
        print_table([[one.name, f"{one.photos:,}", f"{one.missing:,}"] for one in found], ["name", "photos", "missing"])
    else:
        print_message("sketchseek: there are no collections; make one with sketchseek collections add NAME PHOTO...")


@command.command()
@NAME
@GALLERY
@ROOT
@JSON
def show(name: str, gallery: str | None, as_json: bool) -> None:
    """List the photos of a collection, in the order in which they were added."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, readonly=True) as opened:
        hits, missing = opened.collections.photos(name), opened.collections.get(name).missing
    if as_json:
        print_json([{"path": str(hit.path), "id": hit.id} for hit in hits])
        return
    print_table([[hit.id, shown(hit.path)] for hit in hits], ["id", "path"])
    if missing:
        print_message(
            f"sketchseek: {counted(missing, 'photo')} more cannot be found; run sketchseek index if they have moved"
        )


@command.command()
@NAME
@PHOTOS
@GALLERY
@ROOT
def add(name: str, photos: tuple[str, ...], gallery: str | None) -> None:
    """Add photos to a collection, which is made if necessary.

    PHOTO is a file, or an id of search --json.
    """
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        new = opened.collections.add(name, _ids(opened, photos))
    click.echo(f"{counted(new, 'photo')} added to {name}")


@command.command()
@NAME
@PHOTOS
@GALLERY
@ROOT
def remove(name: str, photos: tuple[str, ...], gallery: str | None) -> None:
    """Remove photos from a collection. They stay in the gallery and on disk.

    PHOTO is a file, or an id of collections show.
    """
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        gone = opened.collections.remove(name, _ids(opened, photos))
    click.echo(f"{counted(gone, 'photo')} removed from {name}")


@command.command()
@NAME
@click.argument("new_name", metavar="NEW_NAME")
@GALLERY
@ROOT
def rename(name: str, new_name: str, gallery: str | None) -> None:
    """Give a collection another name."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        opened.collections.rename(name, new_name)
    click.echo(f"{name} is now {new_name}")


@command.command()
@NAME
@GALLERY
@ROOT
def delete(name: str, gallery: str | None) -> None:
    """Delete a collection. Its photos stay in the gallery and on disk."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        opened.collections.delete(name)
    click.echo(f"{name} deleted")


@command.command()
@NAME
@GALLERY
@ROOT
@click.option(
    "--copy-to",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Copy the photos into FOLDER, which must not be an indexed one; nothing is overwritten.",
)
@click.option(
    "--link-to",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Make symbolic links to the photos in FOLDER.",
)
@click.option("--paths0", is_flag=True, help="Print paths, each followed by a NUL byte, for xargs -0.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {path, id}.")
def export(
    name: str, gallery: str | None, copy_to: Path | None, link_to: Path | None, paths0: bool, as_json: bool
) -> None:
    """Print the paths of the photos, one on each line, or copy the photos or link to them."""
    from sketchseek.gallery import Gallery

    if sum(map(bool, (copy_to, link_to, paths0, as_json))) > 1:
        raise click.UsageError("--copy-to, --link-to, --paths0 and --json exclude each other.")
    with Gallery.open(gallery, readonly=True) as opened:
        hits = opened.collections.photos(name)
        paths = [hit.path for hit in hits]
        if folder := copy_to or link_to:
            how: Literal["copy", "link"] = "copy" if copy_to else "link"
            copy_photos(opened, paths, folder, how)
        elif as_json:
            print_json([{"path": str(hit.path), "id": hit.id} for hit in hits])
        else:
            print_paths(paths, end=b"\0" if paths0 else b"\n")


@command.group(cls=SuggestingGroup, short_help="Searches that the page saved: list, run, remove.")
def searches() -> None:
    """Searches that were saved on the page."""


@searches.command("list")
@GALLERY
@ROOT
@JSON
def list_searches(gallery: str | None, as_json: bool) -> None:
    """List all saved searches."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, readonly=True) as opened:
        found = opened.collections.searches()
    if as_json:
        print_json([{"name": one.name, "made": one.made.isoformat(), "query": one.query} for one in found])
    elif found:
        print_table([[one.name, f"{one.made:%Y-%m-%d %H:%M}"] for one in found], ["name", "saved"])
    else:
        print_message("sketchseek: there are no saved searches; save one on the page, under Last searches")


@searches.command("run")
@NAME
@GALLERY
@ROOT
@COUNT
@JSON
@PATHS0
def run_search(name: str, gallery: str | None, count: int, as_json: bool, paths0: bool) -> None:
    """Search again, with the photos that are in the gallery now."""
    from sketchseek.gallery import Gallery
    from sketchseek.gallery.collections import unknown_name
    from sketchseek.server.saved_searches import arguments_of

    if as_json and paths0:
        raise click.UsageError("--json and --paths0 exclude each other.")
    with Gallery.open(gallery, readonly=True) as opened:
        known = {one.name: one for one in opened.collections.searches()}
        if name not in known:
            raise unknown_name("saved search", name, known)
        stats = opened.stats()
        hits = opened.search(**arguments_of(name, known[name].query, stats.folders), k=count)
    print_hits(hits, stats.photos, as_json=as_json, paths0=paths0)


@searches.command("remove")
@NAME
@GALLERY
@ROOT
def remove_search(name: str, gallery: str | None) -> None:
    """Remove a saved search."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        opened.collections.delete_search(name)
    click.echo(f"{name} removed")


def _ids(gallery: "Gallery", photos: Sequence[str]) -> list[str]:
    return [photo if _ID.fullmatch(photo) else gallery.collections.id_of(photo) for photo in photos]
