"""kill -9 between any two calls that replace, remove or flush a file: the gallery is the old one or the new one."""

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery
from tests.gallery.crash_child import Crash, crasher
from tests.gallery.embedded.test_migration import FIXTURE, rows
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the helper forks")


@pytest.fixture(scope="module")
def kill() -> Iterator[Crash]:
    with crasher() as crash:
        yield crash


def every_kill(kill: Crash, folder: Path, task: str, tmp_path: Path, photos: Path | str = "") -> Iterator[Path]:
    """A copy of ``folder`` for each call of the task, killed there; ends when the task does."""
    for at in range(1, 200):
        copy = tmp_path / f"{task}-{at}"
        shutil.copytree(folder, copy)
        killed = kill(task, copy, photos, at=at)
        yield copy
        shutil.rmtree(copy)
        if not killed:
            assert at > 5, "the calls are not counted"
            return
    pytest.fail("the task does not end")


def vectors(folder: Path) -> list[tuple[bytes, int, bytes]]:
    return rows(folder)["vectors"]


@pytest.mark.parametrize("with_log", [False, True])
def test_a_killed_migration_loses_no_row(kill: Crash, tmp_path: Path, with_log: bool) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "gallery.sqlite").write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    if with_log:
        leave_a_log(old)
    expected = rows(old) if not with_log else rows_of_copy(old, tmp_path)
    for folder in every_kill(kill, old, "open", tmp_path):
        with Gallery.open(folder, GridModel(), readonly=True) as gallery:
            assert gallery.verify() == []
            assert len(gallery.search(text="red", k=50)) == 11
        assert rows(folder) == expected
        assert not list(folder.glob("gallery.sqlite.*"))


def leave_a_log(folder: Path) -> None:
    """What was written last is in the log beside the database, as a killed process leaves it."""
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA journal_mode = WAL'); db.execute('PRAGMA wal_autocheckpoint = 0');"
        "db.execute('DELETE FROM vectors WHERE model = 2');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(folder / "gallery.sqlite")], check=False)
    assert (folder / "gallery.sqlite-wal").stat().st_size > 4096


def rows_of_copy(folder: Path, tmp_path: Path) -> object:
    """Its rows, read from a copy, because reading moves the log into the database."""
    shutil.copytree(folder, tmp_path / "read")
    return rows(tmp_path / "read")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    fill(tmp_path / "photos", 40)
    with Gallery.open(tmp_path / "filled", GridModel()) as gallery:
        gallery.add(tmp_path / "photos")
    return tmp_path / "filled"


def damage_tables(folder: Path) -> None:
    """The list of tables, but no row."""
    data = bytearray((folder / "gallery.sqlite").read_bytes())
    data[100:4096] = bytes(3996)
    (folder / "gallery.sqlite").write_bytes(data)


@pytest.mark.slow
def test_a_killed_rebuild_loses_no_row(kill: Crash, filled: Path, tmp_path: Path) -> None:
    expected = rows(filled)
    damage_tables(filled)
    complete = 0
    for folder in every_kill(kill, filled, "rebuild", tmp_path):
        if (folder / "gallery.sqlite.ready").exists():  # from then on the new one counts, whoever opens it
            complete += 1
            with Gallery.open(folder, GridModel(), readonly=True) as gallery:
                assert len(gallery.search(text="red", k=50)) == 40
        with Gallery.open(folder, GridModel()) as gallery:
            gallery.rebuild()
            assert gallery.verify() == []
            assert len(gallery.search(text="red", k=50)) == 40
        assert rows(folder) == expected
    assert complete > 2


@pytest.mark.slow
def test_the_second_kill_is_survived_too(kill: Crash, filled: Path, tmp_path: Path) -> None:
    """Recovery may be killed as well."""
    expected = rows(filled)
    damage_tables(filled)
    for number, folder in enumerate(every_kill(kill, filled, "rebuild", tmp_path)):
        kill("rebuild", folder, at=1 + number % 7)
        with Gallery.open(folder, GridModel()) as gallery:
            gallery.rebuild()
            assert gallery.verify() == []
        assert rows(folder) == expected


def test_what_a_killed_rebuild_of_an_earlier_release_left_is_used(filled: Path) -> None:
    """It renamed twice: the old database to .damaged, the new one to its place."""
    expected = rows(filled)
    shutil.copyfile(filled / "gallery.sqlite", filled / "gallery.sqlite.damaged")
    (filled / "gallery.sqlite").rename(filled / "gallery.sqlite.new")
    with Gallery.open(filled, GridModel(), readonly=True) as gallery:
        assert len(gallery.search(text="red", k=50)) == 40
    assert rows(filled) == expected


def test_a_killed_save_of_the_index_costs_nothing(
    kill: Crash, filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Gallery.open(filled, GridModel(), readonly=True) as gallery:
        expected = gallery.search(text="red", k=50)
    for path in filled.glob("index-*"):
        path.unlink()
    for folder in every_kill(kill, filled, "search", tmp_path):
        with Gallery.open(folder, GridModel()) as gallery:
            assert gallery.search(text="red", k=50) == expected
            assert gallery.verify() == []
        with sqlite3.connect(folder / "gallery.sqlite") as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()


def test_a_killed_replacement_of_the_index_leaves_none_that_does_not_fit(
    kill: Crash, filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path / "photos", 46)
    for folder in every_kill(kill, filled, "add", tmp_path, tmp_path / "photos"):
        with Gallery.open(folder, GridModel(), readonly=True) as gallery:
            assert gallery.verify() == []
            assert len(gallery.search(text="red", k=100)) == gallery.stats().photos
    assert caplog.records == []
