"""``sketchseek datasets``: what a folder holds, compared with what was published, and the splits that are shipped."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import print_json, print_table

if TYPE_CHECKING:
    from sketchseek.datasets.check import Check


@click.group(short_help="Check datasets on disk, list the published splits.")
def command() -> None:
    """Check datasets on disk, list the published splits."""


@command.command(short_help="Say what a folder holds and what is wrong with it.")
@click.argument("root", type=click.Path())
@click.option("--as", "as_name", metavar="NAME", help="Which dataset it is: sketchy, tuberlin, quickdraw or custom.")
@click.option(
    "--verify/--fast",
    default=None,
    help="Open every picture wholly, or none.  [default: read the first bytes of every file]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(root: str, as_name: str | None, verify: bool | None, as_json: bool) -> int:
    """Say which dataset the folder ROOT holds, count it against what was published, and report all that is wrong.

    Exit code 1 where nothing is recognised or nothing can be opened.
    """
    from sketchseek.datasets import open_dataset
    from sketchseek.datasets.check import Depth, check_dataset

    dataset = open_dataset(root, as_name)
    depth: Depth = "beginnings" if verify is None else "pictures" if verify else "names"
    with _progress(len(dataset.photos) + len(dataset.sketches)) as advance:
        found = check_dataset(dataset, depth, advance)
    if as_json:
        print_json(as_data(found))
    else:
        describe(found)
    return 0 if found.usable else 1


@command.command(short_help="List the published splits that are shipped.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with the classes.")
def splits(as_json: bool) -> None:
    """List the published splits, with the names that papers and their code give them."""
    from sketchseek.datasets import known_splits, published_split

    if as_json:
        print_json(
            [
                {
                    "name": known.name,
                    "dataset": known.dataset,
                    "source": known.source,
                    "aliases": known.aliases,
                    "train": published_split(known.name).train,
                    "val": published_split(known.name).val,
                    "unseen": known.unseen,
                }
                for known in known_splits().values()
            ]
        )
        return
    rows = []
    for known in known_splits().values():
        split = published_split(known.name)
        counts = [str(len(group)) for group in (split.train, split.val, split.unseen)]
        rows.append([known.name, known.dataset, *counts, "; ".join(known.aliases)])
    print_table(rows, ["split", "dataset", "train", "val", "unseen", "also called"])


def as_data(found: "Check") -> dict[str, Any]:
    """Everything ``check`` says, as plain data."""
    from sketchseek.datasets.items import MEANING

    dataset = found.dataset
    return {
        "root": str(dataset.root),
        "dataset": dataset.name,
        "layout": dataset.layout,
        "usable": found.usable,
        "read": found.depth,
        "classes": len(dataset.classes),
        "sketches": len(dataset.sketches),
        "photos": len(dataset.photos),
        "pairs": sum(drawing.instance is not None for drawing in dataset.sketches),
        "counts": [
            {
                "classes": count.classes,
                "what": count.what,
                "here": count.here,
                "published": count.published,
                "agrees": count.agrees,
            }
            for count in found.counts
        ],
        "missing_classes": found.missing,
        "problems": [
            {
                "kind": problem.kind,
                "meaning": MEANING[problem.kind],
                "count": problem.count,
                "examples": problem.examples,
            }
            for problem in found.problems
        ],
    }


def describe(found: "Check") -> None:
    """The result for people."""
    dataset = found.dataset
    pairs = sum(drawing.instance is not None for drawing in dataset.sketches)
    paired = f"{pairs:,} of them drawn from a photo that is here" if pairs else "not paired with photos"
    click.echo(f"{dataset.root}: {dataset.name}, read as the layout {dataset.layout}")
    sizes = f"{len(dataset.classes):,} classes, {len(dataset.photos):,} photos, {len(dataset.sketches):,} sketches"
    click.echo(f"{sizes}, {paired}\n")
    signs = {True: "as published", False: "differs", None: ""}
    rows = [
        [
            c.classes,
            c.what.replace("_", " "),
            f"{c.here:,}",
            " or ".join(f"{n:,}" for n in c.published),
            signs[c.agrees],
        ]
        for c in found.counts
    ]
    print_table(rows, ["classes", "what", "here", "published", ""])
    if found.missing:
        click.echo(f"\nmissing classes: {', '.join(found.missing)}")
    click.echo("\nproblems:" if found.problems else "\nno problems")
    for problem in found.problems:
        click.echo(f"  {problem}")
    said = {
        "names": "No file was opened (--fast).",
        "beginnings": "Of every file the first bytes were read; --verify opens each picture wholly.",
        "pictures": "Every picture was opened.",
    }
    click.echo(f"\n{said[found.depth]}")
    if not found.usable:
        click.echo("This dataset cannot be used: none of its sketches, or none of its photos, opens.")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr where somebody is looking; the yielded function moves it by one."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening", total=total)
        yield lambda: progress.advance(task)
