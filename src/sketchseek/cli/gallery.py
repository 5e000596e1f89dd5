"""``sketchseek gallery``: look after a gallery."""

from pathlib import Path

import click

from sketchseek.cli.output import human_size, print_json, print_table

GALLERY = click.option(
    "--gallery", metavar="G", help="Folder of the gallery.  [default: $SKETCHSEEK_GALLERY, else your data folder]"
)


@click.group(short_help="Look after a gallery: info, verify, rebuild, forget.")
def command() -> None:
    """Look after a gallery."""


@command.command()
@GALLERY
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info(gallery: str | None, as_json: bool) -> None:
    """Say what is in a gallery: folders, photos, models, and the files that could not be taken in."""
    from sketchseek.gallery import Gallery
    from sketchseek.gallery.errors import shown

    with Gallery.open(gallery, readonly=True) as opened:
        stats, failures = opened.stats(), opened.failures()
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
            *(["failed", f"{shown(path)}: {reason}"] for path, reason in failures),
        ]
    )


@command.command()
@GALLERY
@click.pass_context
def verify(context: click.Context, gallery: str | None) -> None:
    """Check database, vectors and index files against each other; exit code 1 if something is wrong."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, readonly=True) as opened:
        problems = opened.verify()
    for problem in problems:
        click.echo(problem.what)
    if not problems:
        click.echo("all is well")
    context.exit(1 if problems else 0)


@command.command()
@GALLERY
def rebuild(gallery: str | None) -> None:
    """Save what can be read of a damaged gallery and make its index files anew."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        problems = opened.rebuild()
    for problem in problems:
        click.echo(problem.what)
    if not problems:
        click.echo("nothing was damaged; the index files are new")


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@GALLERY
def forget(paths: tuple[Path, ...], gallery: str | None) -> None:
    """Forget photos, or folders and all in them, with their vectors. The files stay where they are."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        removed = opened.remove(list(paths))
    click.echo(f"{removed:,} files forgotten")
