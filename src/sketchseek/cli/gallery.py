"""``sketchseek gallery``: manage a gallery."""

from dataclasses import asdict
from pathlib import Path

import click

from sketchseek.cli.groups import SuggestingGroup
from sketchseek.cli.options import GALLERY, ROOT
from sketchseek.cli.output import human_size, print_json, print_table


@click.group(cls=SuggestingGroup, short_help="Manage a gallery: info, verify, rebuild, forget, copy, switch.")
def command() -> None:
    """Manage a gallery."""


@command.command()
@GALLERY
@ROOT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--verbose", "-v", is_flag=True, help="List every file that failed, instead of a line for each cause.")
def info(gallery: str | None, as_json: bool, verbose: bool) -> None:
    """Show folders, photos and models of a gallery, and files that could not be indexed."""
    from sketchseek.gallery import Gallery, GalleryError
    from sketchseek.gallery.failures import causes
    from sketchseek.wording import counted, shown

    with Gallery.open(gallery, readonly=True) as opened:
        stats, failures = opened.stats(), opened.failures()
        try:
            cameras = opened.cameras()
        except GalleryError:  # a gallery on a server does not list them
            cameras = {}
    if as_json:
        print_json(
            {
                "path": str(stats.path),
                "photos": stats.photos,
                "files": stats.files,
                "duplicates": stats.duplicates,
                "bytes": stats.bytes,
                "folders": [str(folder) for folder in stats.folders],
                "models": [
                    {
                        "name": one.name,
                        "identity": one.identity,
                        "size": one.size,
                        "vectors": one.vectors,
                        "current": one.current,
                    }
                    for one in stats.models
                ],
                "cameras": cameras,
                "failed": [{"path": str(path), "reason": reason} for path, reason in failures],
            }
        )
        return
    print_table(
        [
            ["gallery", shown(stats.path)],
            *([["size", human_size(stats.bytes)]] if stats.bytes is not None else []),
            ["photos", f"{stats.photos:,} in {stats.files:,} files, {stats.duplicates:,} of them duplicates"],
            *(["folder", shown(folder)] for folder in stats.folders),
            *(
                ["model", f"{one.name}: {one.vectors:,} vectors of {one.size}{', current' if one.current else ''}"]
                for one in stats.models
            ),
            *(["camera", f"{shown(camera, 80)}: {counted(photos, 'photo')}"] for camera, photos in cameras.items()),
            *(["failed", str(cause)] for cause in causes(failures, every_file=verbose)),
        ]
    )


@command.command()
@GALLERY
@ROOT
@click.pass_context
def verify(context: click.Context, gallery: str | None) -> None:
    """Compare database, vectors and index files; the exit code is 1 if something is wrong."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, readonly=True) as opened:
        problems = opened.verify()
    for problem in problems:
        click.echo(problem.what)
    if not problems:
        click.echo("no problems found")
    context.exit(1 if problems else 0)


@command.command()
@GALLERY
@ROOT
def rebuild(gallery: str | None) -> None:
    """Keep what can be read of a damaged gallery, and build its index files again."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        problems = opened.rebuild()
    for problem in problems:
        click.echo(problem.what)
    if not problems:
        click.echo("nothing was damaged; the index files were built again")


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@GALLERY
@ROOT
def forget(paths: tuple[Path, ...], gallery: str | None) -> None:
    """Remove photos, or folders with all their photos, from the gallery. The files themselves stay."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        removed = opened.remove(list(paths))
    click.echo(f"{removed:,} {'file' if removed == 1 else 'files'} forgotten")


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@ROOT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy the gallery FROM into TO, each a folder or milvus://HOST:19530/NAME.

    Vectors are copied as they are; nothing is encoded again. If interrupted, run it again to continue. At the end, the
    files are counted and a sample of vectors is compared.
    """
    from sketchseek.gallery import Gallery
    from sketchseek.gallery.copying import copy as copy_gallery

    with Gallery.open(source, readonly=True) as kept, Gallery.open(target) as made:
        done = copy_gallery(kept, made)
    if as_json:
        print_json(asdict(done))
        return
    click.echo(
        f"{done.copied:,} files copied, {done.there:,} were there already; {done.files:,} counted, {done.compared:,} "
        "vectors compared: no problems found"
    )


@command.command()
@click.argument("name", metavar="NAME")
@click.argument("other", metavar="OTHER")
def switch(name: str, other: str) -> None:
    """Make the address NAME lead to the gallery of OTHER, in one step.

    Both have the form milvus://HOST:19530/.... Searches continue meanwhile. The gallery that NAME led to before keeps
    its data.
    """
    from sketchseek.gallery import Gallery

    with Gallery.open(name) as opened:
        opened.switch(other)
    click.echo(f"{name} now leads to the gallery of {other}")
