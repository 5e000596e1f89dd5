"""A gallery of an earlier format is migrated when it is opened: small ones, made by the code that wrote that format."""

import gzip
import logging
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.embedded.formats import FORMATS
from sketchseek.gallery.embedded.rows import row_crc
from sketchseek.gallery.embedded.schema import FORMAT
from sketchseek.gallery.embedded.writer import write_lock
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill
from tests.gallery.test_ingest import contents

FIXTURES = {number: Path(__file__).with_name(f"format-{number}.sqlite.gz") for number in range(2, FORMAT)}
FIXTURE = FIXTURES[FORMAT - 1]


@pytest.fixture(params=FIXTURES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of an earlier gallery: 13 files in /photos (copies, dates, a failure, an odd name), two models."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "gallery.sqlite").write_bytes(gzip.decompress(FIXTURES[request.param].read_bytes()))
    return folder


def rows(folder: Path) -> dict[str, list[Any]]:
    """Everything in the database but checksums, devices and the numbers that only rows use among each other."""
    db = sqlite3.connect(folder / "gallery.sqlite")
    try:
        columns = {
            "folders": "path, device",
            "models": "row, identity, name, source, size, used",
            "contents": "hash, width, height, taken, copies",
            "files": "path, size, mtime_ns, failure",
        }
        found = {
            table: db.execute(f"SELECT {what} FROM {table} ORDER BY 1").fetchall() for table, what in columns.items()
        }
        found["vectors"] = db.execute(
            "SELECT f.path, v.model, v.vector FROM files f JOIN vectors v ON v.content = f.content ORDER BY 1, 2"
        ).fetchall()
        return found
    finally:
        db.close()


def version(folder: Path) -> int:
    db = sqlite3.connect(folder / "gallery.sqlite")
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def nearest(folder: Path) -> list[tuple[str, float]]:
    """(path, cosine with "red") by brute force over the raw database, best first."""
    query = GridModel().encode_texts(["red"])[0]
    best: dict[bytes, tuple[float, bytes]] = {}
    for path, model, vector in rows(folder)["vectors"]:
        if model == 1:
            score = float((np.frombuffer(vector, "<f2").astype(np.float64) * query).sum())
            best.setdefault(vector, (score, path))
    return [(os.fsdecode(path), score) for score, path in sorted(best.values(), reverse=True)]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What sketchseek logged."""
    return [record.message for record in caplog.records if record.name.startswith("sketchseek")]


@pytest.mark.parametrize("readonly", [False, True])
def test_an_earlier_format_is_migrated(old: Path, readonly: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert version(old) < FORMAT
    before, expected = rows(old), nearest(old)
    caplog.set_level(logging.INFO)
    with Gallery.open(old, GridModel(), readonly=readonly) as gallery:
        assert said(caplog) == [f"the gallery {old} was migrated to format {FORMAT}"]
        hits = gallery.search(text="red", k=50)
        assert [str(hit.path) for hit in hits] == [path for path, _ in expected]
        assert np.allclose([hit.score for hit in hits], [score for _, score in expected])
        assert [str(hit.path) for hit in gallery.search(text="red", taken="2021")] == ["/photos/dated/2021.jpg"]
        assert gallery.verify() == []
        assert gallery.failures() == [(Path("/photos/broken.jpg"), "is not a picture of a known format")]
        assert [(one.name, one.vectors, one.current) for one in gallery.stats().models] == [
            ("grid-plain", 11, True),
            ("grid-other", 2, False),
        ]
    assert version(old) == FORMAT
    assert rows(old) == before
    assert not list(old.glob("gallery.sqlite.*"))
    caplog.clear()
    Gallery.open(old, readonly=True).close()
    assert not said(caplog)


def test_a_gallery_opened_before_is_migrated_when_it_is_written(old: Path, tmp_path: Path) -> None:
    """A backup of an earlier format may be restored while a gallery is open."""
    with Gallery.open(tmp_path / "new", GridModel()) as gallery:
        shutil.copyfile(old / "gallery.sqlite", tmp_path / "new" / "gallery.sqlite")
        for path in (tmp_path / "new").glob("gallery.sqlite-*"):
            path.unlink()
        assert gallery.remove("/photos/birds") == 8
    assert version(tmp_path / "new") == FORMAT


def test_without_permission_to_write_it_is_one_sentence(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    before = (old / "gallery.sqlite").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.gallery.embedded.replacement.flush", denied)
        with pytest.raises(
            GalleryError, match=rf"has format {version(old)}, .* run `sketchseek index` once with permission to write"
        ):
            Gallery.open(old, readonly=True)
    assert (old / "gallery.sqlite").read_bytes() == before
    assert not list(old.glob("gallery.sqlite.*"))


def test_while_another_process_writes_it_waits(old: Path) -> None:
    before = version(old)
    with write_lock(old), pytest.raises(GalleryError, match="another process is writing to the gallery"):
        Gallery.open(old, readonly=True)
    assert version(old) == before < FORMAT


def test_damaged_rows_are_dropped_and_said(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(old / "gallery.sqlite") as db:
        db.execute("UPDATE files SET size = size + 1 WHERE path = ?", (b"/photos/birds/00003.png",))
        db.execute("UPDATE vectors SET crc = 0 WHERE row = 7")
    db.close()
    before = (old / "gallery.sqlite").read_bytes()
    with Gallery.open(old, GridModel(), readonly=True) as gallery:
        (warning,) = caplog.records
        assert "the database was damaged: what could be read was kept" in warning.message
        assert gallery.verify() == []
        assert gallery.count_under(b"/photos") == 12
        assert len(gallery.search(text="red", k=50)) == 10
    assert (old / "gallery.sqlite.damaged").read_bytes() == before


def test_a_format_that_the_tables_do_not_have_is_damage(old: Path) -> None:
    """One bit is all there is between the numbers of two formats."""
    before = rows(old)
    with sqlite3.connect(old / "gallery.sqlite") as db:
        db.execute(f"PRAGMA user_version = {FORMAT}")
    db.close()
    with Gallery.open(old, GridModel()) as gallery:
        with pytest.raises(GalleryError, match="is damaged"):
            gallery.search(text="red")
        assert len(gallery.rebuild()) == 1
        assert gallery.verify() == []
    assert rows(old) == before


def test_a_lost_first_page_of_an_earlier_format_costs_nothing(old: Path) -> None:
    before = rows(old)
    data = (old / "gallery.sqlite").read_bytes()
    (old / "gallery.sqlite").write_bytes(bytes(4096) + data[4096:])
    with Gallery.open(old, GridModel()) as gallery:
        gallery.rebuild()
    assert rows(old) == before


def test_the_next_index_adds_the_outlines_and_keeps_the_vectors(tmp_path: Path) -> None:
    """A real gallery, taken back to format 3: its rows there have neither the column nor its checksum."""
    photos, folder = tmp_path / "photos", tmp_path / "gallery"
    fill(photos, 5)
    with Gallery.open(folder, GridModel()) as gallery:
        gallery.add(photos)
        wanted = contents(gallery)
    take_back(folder)
    assert version(folder) == 3
    model = GridModel()
    with Gallery.open(folder, model) as gallery:
        assert [row[:-1] for row in contents(gallery)] == [row[:-1] for row in wanted]
        assert {row[-1] for row in contents(gallery)} == {None}
        report = gallery.add(photos)
        assert (report.unchanged, report.completed, model.encoded) == (5, 5, 5)
        assert contents(gallery) == wanted
        assert gallery.verify() == []


def take_back(folder: Path) -> None:
    """Write a gallery's rows into a new database of format 3."""
    new = folder / "gallery.sqlite.old"
    with closing(sqlite3.connect(folder / "gallery.sqlite")) as db, closing(sqlite3.connect(new)) as old:
        old.executescript(FORMATS[3].schema)
        for table, columns in FORMATS[3].covered.items():
            for row in db.execute(f"SELECT {','.join(columns)} FROM {table}").fetchall():
                names, marks = ",".join((*columns, "crc")), ",".join("?" * (len(columns) + 1))
                old.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", (*row, row_crc(*row)))
        old.commit()
    new.replace(folder / "gallery.sqlite")
