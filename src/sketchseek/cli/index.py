"""``sketchseek index``: bring a gallery in step with folders of photos."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.options import GALLERY, ROOT
from sketchseek.cli.output import print_json

if TYPE_CHECKING:
    from sketchseek.gallery.ingest import Progress, Report


@click.command(short_help="Take folders of photos into a gallery, or bring it up to date.")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@GALLERY
@ROOT
@click.option(
    "--model", metavar="M", help="Model folder that encodes.  [default: the gallery's own, else the one that ships]"
)
@click.option("--watch", is_flag=True, help="Stay, and follow every change until interrupted.")
@click.option("--retry-failed", is_flag=True, help="Open files again that failed before and have not changed.")
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Encode with the workers of a Ray cluster, or of this machine; give it last, or as --ray=ADDRESS.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 10_000),
    help="Ray workers.  [default: one for every GPU, else for every two cores]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; with --watch, one a line for every change."
)
def command(
    folders: tuple[Path, ...],
    gallery: str | None,
    model: str | None,
    watch: bool,
    retry_failed: bool,
    ray: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Take FOLDERs of photos into a gallery, or bring it up to date; without FOLDER, all the gallery knows.

    Files that have not changed are not opened, moved ones are not encoded again, deleted ones disappear. Interrupted
    at any moment, the next run goes on. Your photos are only ever read.
    """
    from sketchseek.gallery import Gallery

    if (workers and not ray) or (watch and ray):
        raise click.UsageError("--workers goes with --ray, and --watch without it.")
    with Gallery.open(gallery, model) as opened:
        with _progress() as tell:
            if ray:
                report = opened.add_with_ray(
                    list(folders) or None, ray=ray, workers=workers, progress=tell, retry=retry_failed
                )
            else:
                report = opened.add(list(folders) or None, progress=tell, retry=retry_failed)
        _print(report, as_json, compact=watch)
        if watch:
            from sketchseek.gallery.watch import follow

            click.echo("sketchseek: following changes; end with Ctrl-C", err=True)
            with _interrupted() as stop:
                for report in follow(opened, list(folders) or opened.stats().folders, stop):
                    _print(report, as_json, compact=True)


@contextmanager
def _interrupted() -> Iterator[Event]:
    """An event that Ctrl-C sets, whatever becomes of its exception: raised in a finaliser, Python drops it."""
    stop = Event()

    def interrupt(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.is_set():
        raise KeyboardInterrupt


def _print(report: "Report", as_json: bool, *, compact: bool) -> None:
    data: dict[str, Any] = asdict(report)
    data["failed"] = [{"path": str(failure.path), "reason": failure.reason} for failure in report.failed]
    data["seconds"] = round(report.seconds, 3)
    if as_json:
        print_json(data, compact=compact)
        return
    from sketchseek.wording import shown

    for failure in report.failed:
        click.echo(f"{shown(failure.path)}: {failure.reason}", err=True)
    counts = [f"{data[key]:,} {key}" for key in ("added", "updated", "moved", "removed", "unchanged")]
    click.echo(f"{', '.join(counts)}, {len(report.failed):,} failed in {report.seconds:.1f} s")


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None] | None]":
    """A bar with photos a second and the time left, if somebody is there to see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("indexing", total=None, speed="looking at folders")

        def tell(progress: "Progress") -> None:
            speed = f"{progress.done / progress.seconds:.1f} photos/s" if progress.done else ""
            if progress.workers:
                speed += f" by {len(progress.workers)}, {min(progress.workers.values()):.1f} by the slowest"
            bar.update(task, total=progress.total, completed=progress.done, speed=speed)

        yield tell
