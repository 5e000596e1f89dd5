"""``sketchseek gallery``: look after a gallery."""

from dataclasses import asdict
from pathlib import Path

import click

from sketchseek.cli.options import GALLERY, ROOT
from sketchseek.cli.output import human_size, print_json, print_table


@click.group(short_help="Look after a gallery: info, verify, rebuild, forget, copy, switch.")
def command() -> None:
    """Look after a gallery."""


@command.command()
@GALLERY
@ROOT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info(gallery: str | None, as_json: bool) -> None:
    """Say what is in a gallery: folders, photos, models, and the files that could not be taken in."""
    from sketchseek.gallery import Gallery
    from sketchseek.wording import shown

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
@ROOT
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
@ROOT
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
@ROOT
def forget(paths: tuple[Path, ...], gallery: str | None) -> None:
    """Forget photos, or folders and all in them, with their vectors. The files stay where they are."""
    from sketchseek.gallery import Gallery

    with Gallery.open(gallery, create=False) as opened:
        removed = opened.remove(list(paths))
    click.echo(f"{removed:,} files forgotten")


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@ROOT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy the gallery FROM into TO, each a folder or milvus://HOST:19530/NAME.

    Vectors are copied as they are; nothing is encoded again. Interrupted at any moment, the next run goes on. At the
    end the files are counted and a sample of vectors is compared.
    """
    from sketchseek.gallery import Gallery
    from sketchseek.gallery.copying import copy as copy_gallery

    with Gallery.open(source, readonly=True) as kept, Gallery.open(target) as made:
        done = copy_gallery(kept, made)
    if as_json:
        print_json(asdict(done))
        return
    click.echo(
        f"{done.copied:,} files copied, {done.there:,} were there; {done.files:,} counted, {done.compared:,} vectors "
        "compared: all is well"
    )


@command.command()
@click.argument("name", metavar="NAME")
@click.argument("other", metavar="OTHER")
def switch(name: str, other: str) -> None:
    """Let the address NAME lead to the gallery that OTHER leads to, both milvus://HOST:19530/..., in one step.

    Searches go on meanwhile. What NAME led to before keeps its data.
    """
    from sketchseek.gallery import Gallery

    with Gallery.open(name) as opened:
        opened.switch(other)
    click.echo(f"{name} leads to the vectors of {other}")
