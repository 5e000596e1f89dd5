"""``sketchseek index``: bring a gallery up to date with folders of photos."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.get_model import model_for
from sketchseek.cli.options import DEVICE, GALLERY, ROOT, YES
from sketchseek.cli.output import print_failures, print_json, print_message
from sketchseek.cli.progress import open_bars
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command
from sketchseek.wording import listed, shown

if TYPE_CHECKING:
    from sketchseek.gallery import Gallery
    from sketchseek.gallery.ingest import Progress, Report

_UNITS = {"MB": 10**6, "GB": 10**9}
LEAST_MEMORY = 64 * 10**6  # bytes; with less, photos of ordinary cameras would fail


class Memory(click.ParamType[int]):
    """A size in MB or GB, as bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([MG]B)", str(value).strip().upper())
        size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
        if size < LEAST_MEMORY:
            self.fail(f"{value!r} is not a size from 64MB up, such as 500MB or 2GB.", param, ctx)
        return size


@click.command(short_help="Index folders of photos, or bring a gallery up to date.")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@GALLERY
@ROOT
@click.option(
    "--model", metavar="M", help="Model that encodes the photos.  [default: the gallery's own, else the default model]"
)
@YES
@DEVICE
@click.option("--watch", is_flag=True, help="Keep running and index every change, until Ctrl-C.")
@click.option(
    "--retry-failed", is_flag=True, help="Try again the files that failed before, even if they have not changed."
)
@click.option("--verbose", "-v", is_flag=True, help="List every file that failed, instead of a line for each cause.")
@click.option(
    "--memory",
    metavar="SIZE",
    type=Memory(),
    help="Memory for photos on their way to the model, beside the model itself, such as 500MB.  [default: 1GB]",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Encode on a Ray cluster, or without ADDRESS with Ray on this machine; write --ray=ADDRESS, or put it last.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 10_000),
    help="Number of Ray workers.  [default: one per GPU, else one per two cores]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; with --watch, one per line for every change."
)
def command(
    folders: tuple[Path, ...],
    gallery: str | None,
    model: str | None,
    yes: bool,
    watch: bool,
    retry_failed: bool,
    verbose: bool,
    memory: int | None,
    ray: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Index FOLDERs of photos, or bring a gallery up to date; without FOLDER, all folders indexed before.

    Unchanged files are not opened, moved files are not encoded again, and deleted files disappear from the gallery.
    If interrupted, run it again to continue. Your photos are only read, never changed.

    With another model than before, photos are encoded into a second set of vectors; searches use the first one until
    the second covers every photo. A published model that is not here is downloaded first.
    """
    from sketchseek.gallery import Gallery

    if (workers and not ray) or (watch and ray) or (memory and ray):
        raise click.UsageError("--workers requires --ray; --ray excludes --watch and --memory.")
    if watch and find_spec("watchfiles") is None:  # not after hours of indexing
        raise SketchseekError(f"--watch requires watchfiles; run: {extra_command('watch')}")
    with Gallery.open(gallery, model_for(model, yes=yes)) as opened:
        with _progress() as update:
            if ray:
                report = opened.add_with_ray(
                    list(folders) or None, ray=ray, workers=workers, progress=update, retry=retry_failed
                )
            else:
                report = opened.add(list(folders) or None, progress=update, retry=retry_failed, memory=memory)
        _print(report, as_json, compact=watch, verbose=verbose)
        if not as_json and not _found(report):
            where = listed([shown(folder) for folder in folders or opened.stats().folders])
            print_message(f"sketchseek: there are no photos in {where}; hidden files and folders are skipped")
        if model and not as_json:
            _say_which_is_searched(opened)
        if watch:
            from sketchseek.gallery.watch import follow

            print_message("sketchseek: following changes; stop with Ctrl-C")
            with _interrupted() as stop:
                for report in follow(opened, list(folders) or opened.stats().folders, stop, memory=memory):
                    _print(report, as_json, compact=True, verbose=verbose)


def _found(report: "Report") -> int:
    """How many files the run found."""
    return report.added + report.updated + report.moved + report.unchanged + len(report.failed)


def _say_which_is_searched(gallery: "Gallery") -> None:
    """After indexing with a named model: a second set of vectors is searched once it covers every photo."""
    sets = gallery.stats().models
    if len(sets) > 1:
        print_message(f"sketchseek: searches use {next(one.name for one in sets if one.current)}")


@contextmanager
def _interrupted() -> Iterator[Event]:
    """An event that Ctrl-C sets even if KeyboardInterrupt is lost: Python drops an exception raised in a finaliser."""
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


def _print(report: "Report", as_json: bool, *, compact: bool, verbose: bool) -> None:
    data: dict[str, Any] = asdict(report)
    data["failed"] = [{"path": str(failure.path), "reason": failure.reason} for failure in report.failed]
    data["seconds"] = round(report.seconds, 3)
    if as_json:
        print_json(data, compact=compact)
        return
    print_failures([(failure.path, failure.reason) for failure in report.failed], verbose=verbose)
    counts = [f"{data[key]:,} {key}" for key in ("added", "updated", "moved", "removed", "unchanged")]
    click.echo(f"{', '.join(counts)}, {len(report.failed):,} failed in {report.seconds:.1f} s")
    if report.completed:
        click.echo(f"{report.completed:,} of the unchanged were given what the gallery lacked of them")


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """A bar with photos per second and the time left, on a terminal; if interrupted, says what is kept."""
    done, total = 0, 0
    with open_bars() as bars:

        def update(progress: "Progress") -> None:
            nonlocal done, total
            done, total = progress.done, progress.total
            if bars is None:
                return
            speed = f"{progress.done / progress.seconds:.1f} photos/s" if progress.done else ""
            if progress.workers:
                speed += f" by {len(progress.workers)}, {min(progress.workers.values()):.1f} by the slowest"
            bars.update("indexing", progress.done, progress.total, status=speed)

        if bars is not None:
            bars.update("indexing", 0, None, status="looking at folders")
        try:
            yield update
        except KeyboardInterrupt:
            print_message(
                f"sketchseek: {done:,} of {total:,} files were indexed and are kept; run the command again for the rest"
            )
            raise
