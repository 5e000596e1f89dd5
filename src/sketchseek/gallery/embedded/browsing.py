"""Sections and pages of photos, by date and by folder; and the folders with their photos."""

import os
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from sketchseek.gallery.embedded.catalogue import Catalogue, tests_of
from sketchseek.gallery.filters import Filters
from sketchseek.gallery.paths import below
from sketchseek.gallery.records import Photo, content_id
from sketchseek.gallery.sections import SECTION_PAGE, Section

# Of photos without a date, the one that was indexed first comes first: they are in the order of their folders.
_ORDER = "ORDER BY c.taken DESC, CASE WHEN c.taken IS NULL THEN -c.row ELSE c.row END DESC"


def sections(catalogue: Catalogue, model: int, filters: Filters) -> list[Section]:
    """All photos with a vector of ``model`` that pass the filters; see ``Gallery.sections``."""
    tests, values = tests_of(filters)
    rows = catalogue.rows(
        "SELECT c.row, substr(c.taken, 1, 7) FROM contents c "  # noqa: S608 - texts of ours
        "JOIN vectors v ON v.content = c.row AND v.model = ? "
        f"WHERE c.copies > 0{tests} {_ORDER}",
        (model, *values),
    )
    found = []
    for month, group in groupby(rows, key=lambda row: row[1]):
        contents = [row[0] for row in group]
        firsts = [catalogue.rows("SELECT hash FROM contents WHERE row = ?", (row,)) for row in contents[::SECTION_PAGE]]
        found.append(Section(month, len(contents), tuple(content_id(first[0][0]) for first in firsts)))
    return found


def page(catalogue: Catalogue, model: int, filters: Filters, first: str, count: int) -> list[Photo] | None:
    """``count`` photos of a section from the one with the id ``first``; None if that one has gone."""
    row = catalogue.vector_row(model, first)
    begin = catalogue.rows(
        "SELECT c.taken, c.row FROM vectors v JOIN contents c ON c.row = v.content WHERE v.row = ?", (row,)
    )
    if not begin:
        return None
    when, content = begin[0]
    tests, values = tests_of(filters)
    if when is None:
        place, values = "c.taken IS NULL AND c.row >= ?", (content, *values)
        order = "ORDER BY c.row"
    else:
        place, values = "c.taken >= ? AND (c.taken, c.row) <= (?, ?)", (when[:7], when, content, *values)
        order = "ORDER BY c.taken DESC, c.row DESC"
    rows = catalogue.rows(
        "SELECT v.row FROM contents c JOIN vectors v ON v.content = c.row AND v.model = ? "  # noqa: S608 - texts of ours
        f"WHERE c.copies > 0 AND {place}{tests} {order} LIMIT ?",
        (model, *values, count),
    )
    return [photo for (row,) in rows if (photo := catalogue.photo(row)) is not None]


def folder_sections(catalogue: Catalogue, model: int, filters: Filters) -> list[Section]:
    """All folders with photos that pass the filters; see ``Gallery.folder_sections``."""
    tests, values = tests_of(filters, of_file=True)
    rows = catalogue.rows(
        "SELECT f.path, c.row FROM files f JOIN contents c ON c.row = f.content "  # noqa: S608 - texts of ours
        f"JOIN vectors v ON v.content = c.row AND v.model = ? WHERE true{tests} ORDER BY f.path",
        (model, *values),
    )
    inside: dict[bytes, dict[int, None]] = {}  # folder -> its contents, each once, by path
    for path, content in rows:
        inside.setdefault(os.path.dirname(path), {})[content] = None  # noqa: PTH120 - paths are bytes here
    found = []
    for folder, contents in sorted((Path(os.fsdecode(folder)), contents) for folder, contents in inside.items()):
        starts = list(contents)[::SECTION_PAGE]
        hashes = [catalogue.rows("SELECT hash FROM contents WHERE row = ?", (row,))[0][0] for row in starts]
        found.append(Section(None, len(contents), tuple(map(content_id, hashes)), folder))
    return found


def folder_page(
    catalogue: Catalogue, model: int, folder: bytes, filters: Filters, first: str, count: int
) -> list[Photo] | None:
    """``count`` photos directly in ``folder`` from the one with the id ``first``; None if that one is not there."""
    low, high = below(folder)
    directly = "f.path >= ? AND f.path < ? AND instr(substr(f.path, ?), ?) = 0"
    place = (low, high, len(low) + 1, low[-1:])
    tests, values = tests_of(replace(filters, under=None), of_file=True)
    begin = catalogue.rows(
        "SELECT min(f.path) FROM vectors v JOIN files f ON f.content = v.content "  # noqa: S608 - texts of ours
        f"JOIN contents c ON c.row = v.content WHERE v.row = ? AND {directly}{tests}",
        (catalogue.vector_row(model, first), *place, *values),
    )[0][0]
    if begin is None:
        return None
    rows = catalogue.rows(
        "SELECT v.row FROM files f JOIN contents c ON c.row = f.content "  # noqa: S608 - texts of ours
        "JOIN vectors v ON v.content = c.row AND v.model = ? "
        # A photo stands where its first copy is, also if another copy comes later.
        f"WHERE {directly}{tests} GROUP BY c.row HAVING min(f.path) >= ? ORDER BY min(f.path) LIMIT ?",
        (model, *place, *values, begin, count),
    )
    return [photo for (one,) in rows if (photo := catalogue.photo(one)) is not None]


def folder_counts(catalogue: Catalogue) -> dict[bytes, int]:
    """Folder -> number of files directly in it that are photos."""
    rows = catalogue.rows("SELECT path FROM files WHERE content IS NOT NULL", ())
    return dict(Counter(os.path.dirname(path) for (path,) in rows))  # noqa: PTH120 - paths are bytes here
