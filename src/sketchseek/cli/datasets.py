"""``sketchseek datasets``: what a folder holds, compared with what was published, and the published splits."""

from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import print_json, print_table
from sketchseek.cli.progress import counting

if TYPE_CHECKING:
    from sketchseek.datasets.check import Check


@click.group(short_help="Check datasets on disk, or list the published splits.")
def command() -> None:
    """Check datasets on disk, or list the published splits."""


@command.command(short_help="Show what a folder holds and what is wrong with it.")
@click.argument("root", type=click.Path())
@click.option(
    "--as",
    "as_name",
    metavar="NAME",
    help="Name of the dataset: sketchy, tuberlin, quickdraw or custom.  [default: recognised by its folders]",
)
@click.option(
    "--verify/--fast",
    default=None,
    help="Decode every picture, or open no file.  [default: read the first bytes of every file]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(root: str, as_name: str | None, verify: bool | None, as_json: bool) -> int:
    """Show which dataset the folder ROOT holds, compare its counts with the published ones, and report all problems.

    The exit code is 1 if no dataset is recognised or no picture can be opened.
    """
    from sketchseek.datasets import open_dataset
    from sketchseek.datasets.check import Depth, check_dataset

    dataset = open_dataset(root, as_name)
    depth: Depth = "beginnings" if verify is None else "pictures" if verify else "names"
    with counting("opening", len(dataset.photos) + len(dataset.sketches)) as advance:
        found = check_dataset(dataset, depth, lambda: advance(1))
    if as_json:
        print_json(as_data(found))
    else:
        describe(found)
    return 0 if found.usable else 1


@command.command(short_help="List the published splits.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with the classes.")
def splits(as_json: bool) -> None:
    """List the published splits, with the names they have in papers and their code."""
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
    """The whole result of ``check`` as plain data."""
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
        "hashes": [vars(one) for one in found.hashes],
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
    """Print the result for people."""
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
    decoded = found.depth == "pictures"
    click.echo("\nSHA-256 of the sorted file names" + (" and of the files" if decoded else ""))
    hashes = [[one.classes, one.names, *([one.files or ""] if decoded else [])] for one in found.hashes]
    print_table(hashes, ["classes", "names", *(["files"] if decoded else [])])
    if found.missing:
        click.echo(f"\nmissing classes: {', '.join(found.missing)}")
    click.echo("\nproblems:" if found.problems else "\nno problems")
    for problem in found.problems:
        click.echo(f"  {problem}")
    read = {
        "names": "No file was opened (--fast).",
        "beginnings": "The first bytes of every file were read; --verify decodes every picture.",
        "pictures": "Every picture was opened.",
    }
    click.echo(f"\n{read[found.depth]}")
    if not found.usable:
        click.echo("This dataset cannot be used: none of its sketches, or none of its photos, can be opened.")
