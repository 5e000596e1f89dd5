"""Find the damage in a gallery, and repair it by saving what can be read."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.rows import COVERED
from sketchseek.gallery.embedded.salvage import renew
from sketchseek.gallery.embedded.sqlite_errors import as_gallery_errors
from sketchseek.gallery.embedded.writer import Writer
from sketchseek.gallery.errors import GalleryDamagedError
from sketchseek.gallery.records import Problem
from sketchseek.wording import shown


def problems(catalogue: Catalogue) -> Iterator[Problem]:
    """The problems of the database, its rows and the index files."""
    from sketchseek.gallery.embedded.index_files import load, paths

    broken = catalogue.integrity()
    yield from (
        Problem(f"the database says: {shown(line)}; `sketchseek gallery rebuild` keeps what can be read.")
        for line in broken
    )
    if broken:
        return
    for table in COVERED:
        if damaged := len(catalogue.damaged(table)):
            what = f"{damaged:,} rows of {table} are damaged"
            yield Problem(f"{what}: run `sketchseek gallery rebuild`, then `sketchseek index`.")
    for model in catalogue.models():
        if paths(catalogue.folder, model)[1].exists():
            index = load(catalogue, model)
            if index is None or len(index) != sum(len(rows) for rows, _ in catalogue.vectors_after(model, 0)):
                yield Problem(
                    f"the index file of {model.name} does not fit the database; the next search or index "
                    "builds it again."
                )


def repair(folder: Path) -> list[Problem]:
    """Repair the database of a gallery; the caller holds the write lock and has no connection open.

    A database that cannot be read is copied row by row into a new one; the old one is kept as ``.damaged``.
    The next indexing reads the photos again that were lost.
    """
    found = [] if _readable(folder) else [problem for problem in [renew(folder, damaged=True)] if problem]
    with as_gallery_errors(folder), closing(Writer(folder)) as catalogue:
        damaged = {table: rows for table in COVERED if (rows := catalogue.damaged(table))}
        if damaged:
            catalogue.drop_damaged(damaged)
        return found + [
            Problem(
                f"{len(rows):,} damaged rows of {table} were dropped; the next `sketchseek index` makes them again."
            )
            for table, rows in damaged.items()
        ]


def _readable(folder: Path) -> bool:
    try:
        with as_gallery_errors(folder), closing(Writer(folder)) as catalogue:
            return not catalogue.integrity()
    except GalleryDamagedError:
        return False
