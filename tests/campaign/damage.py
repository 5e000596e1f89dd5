"""Damage to the files of a gallery: flipped bits, lost ends, swapped and repeated pages, sectors of garbage.

A gallery of 37 photos has a database, its log, an index and the index's record; each is damaged in turn, sometimes two.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery, GalleryError
from tests.campaign.campaigns import Campaign, Case, chance, measure, memory_of
from tests.gallery.embedded.damaged import DATABASE, Whole, answered, check, check_complete, make_whole
from tests.gallery.embedded.test_damaged_bytes import VERSION, a_block, one_byte, several_bytes
from tests.gallery.grid_model import GridModel

CAMPAIGN = Campaign("bits, ends and pages of every file of a gallery", "damages", full=1000, quick=60)
PAGE = 4096


def lost_end(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def lost_pages(data: bytearray, rng: random.Random) -> None:
    del data[PAGE * rng.randrange(1 + len(data) // PAGE) :]


def swapped_pages(data: bytearray, rng: random.Random) -> None:
    one, other = _a_page(data, rng), _a_page(data, rng)
    size = min(PAGE, len(data) - max(one, other))  # the last page may be short
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def repeated_page(data: bytearray, rng: random.Random) -> None:
    """A write that went to the wrong place."""
    one, other = _a_page(data, rng), _a_page(data, rng)
    page = data[other : other + PAGE]
    data[one : one + len(page)] = page


def empty_page(data: bytearray, rng: random.Random) -> None:
    """A write that never arrived."""
    place = _a_page(data, rng)
    data[place : place + PAGE] = bytes(len(data[place : place + PAGE]))


def _a_page(data: bytearray, rng: random.Random) -> int:
    """Where one of the pages begins."""
    return PAGE * rng.randrange(-(-len(data) // PAGE))


def more_at_the_end(data: bytearray, rng: random.Random) -> None:
    data += rng.randbytes(rng.randrange(1, 3 * PAGE))


DAMAGES: list[Callable[[bytearray, random.Random], object]] = [
    one_byte,
    several_bytes,
    a_block,
    lost_end,
    lost_pages,
    swapped_pages,
    repeated_page,
    empty_page,
    more_at_the_end,
]
CUT_OFF = (lost_end, lost_pages)


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    whole = make_whole(place)

    def case(number: int) -> int:
        rng = chance("damage", seed, number)
        folder = place / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole.folder, folder)
        if number % 4 == 0:
            _leave_a_log(folder)
        names = sorted(path.name for path in folder.iterdir() if path.stat().st_size)
        kinds = set()
        for name in rng.sample(names, rng.choice((1, 1, 2))):
            kind = DAMAGES[rng.randrange(len(DAMAGES))]
            data = bytearray((folder / name).read_bytes())
            kind(data, rng)
            (folder / name).write_bytes(data)
            kinds.add(kind if name == DATABASE else None)
        _check(whole, folder, rng, cut_off=bool(kinds & set(CUT_OFF)))
        measure("peak memory of searching and repairing, MB", memory_of(), 600)
        return 1

    yield case


def _leave_a_log(folder: Path) -> None:
    """The last change is in the log beside the database, as a killed process leaves it."""
    kept = folder.with_name("kept")
    shutil.rmtree(kept, ignore_errors=True)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        for change in (1, -1):
            db.execute("UPDATE files SET size = size + ?", (change,))
        shutil.copytree(folder, kept)
    shutil.rmtree(folder)
    kept.rename(folder)
    assert (folder / f"{DATABASE}-wal").stat().st_size > PAGE


def _check(whole: Whole, folder: Path, rng: random.Random, *, cut_off: bool) -> None:
    try:
        Gallery.open(folder, GridModel()).close()
    except SketchseekError as error:
        version = (folder / DATABASE).read_bytes()[VERSION.start : VERSION.stop]
        assert "has format" in str(error)
        assert version != (whole.folder / DATABASE).read_bytes()[VERSION.start : VERSION.stop]
        return
    if cut_off:  # perhaps nothing of it is left
        try:
            with Gallery.open(folder, GridModel()) as gallery:
                answered(lambda: gallery.search(text="red", k=50))
                gallery.rebuild()
                check_complete(whole, gallery)
        except GalleryError as error:
            assert "delete the folder" in str(error)
        return
    check(whole, folder, rng)
