"""kill -9 while indexing, at random moments: what was committed is whole, and the next run goes on."""

import hashlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded.rows import row_crc
from sketchseek.pictures import load_photo
from tests.gallery.crash_child import Crash, crasher
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import contents

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the crash helper forks")
MOMENTS = 60  # in which a process is killed


@pytest.fixture
def crash() -> Iterator[Crash]:
    with crasher() as crash:
        yield crash


def committed(gallery: Path) -> dict[bytes, tuple[bytes, bytes]]:
    """Every committed file -> (hash, vector) of what it held, after checking that all of it is there and right."""
    if not (gallery / "gallery.sqlite").exists():
        return {}
    db = sqlite3.connect(gallery / "gallery.sqlite")
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {}
        rows = db.execute(
            "SELECT f.path, f.failure, v.model, v.content, v.lines, v.vector, v.crc, c.hash FROM files f "
            "LEFT JOIN vectors v ON v.content = f.content LEFT JOIN contents c ON c.row = f.content"
        ).fetchall()
        copies = db.execute(
            "SELECT count(*) FROM contents c WHERE copies <> (SELECT count(*) FROM files WHERE content = c.row)"
        ).fetchone()[0]
    finally:
        db.close()
    assert copies == 0
    for _, failure, model, content, lines, vector, crc, _ in rows:
        assert failure is not None or row_crc(model, content, lines, vector) == crc
    return {path: (digest or b"", vector or b"") for path, _, _, _, _, vector, _, digest in rows}


def found_by(gallery: Gallery) -> list[tuple[str, Path, float]]:
    """Hits without their relevance, which may come from a sample of the gallery as it was a moment ago."""
    return [(hit.id, hit.path, hit.score) for hit in gallery.search(text="red", k=100)]


def test_killed_at_any_moment_nothing_committed_is_lost(tmp_path: Path, crash: Crash) -> None:
    gallery, photos = tmp_path / "gallery", tmp_path / "photos"
    rng = random.Random(5)
    fill(photos, 40)
    put(photos / "broken.png", b"x")
    crash("add", tmp_path / "warm", photos, after=30)
    start = time.monotonic()
    assert not crash("add", tmp_path / "whole", photos, after=30)  # how long an uninterrupted run takes
    whole = time.monotonic() - start
    model, killed, counter, moment = GridModel(), 0, 1000, 0
    while killed < MOMENTS:
        moment += 1
        if crash("add", gallery, photos, after=rng.uniform(0, whole)):
            killed += 1
        else:
            whole *= 0.9  # the machine has become quicker
        found = committed(gallery)
        here = {hashlib.blake2b(path.read_bytes(), digest_size=32).digest(): path for path in photos.iterdir()}
        for digest, vector in found.values():
            if digest in here:  # what has changed since is for the next run to find out
                expected = model.encode_photos([load_photo(here[digest].read_bytes(), target=16)])[0]
                assert np.frombuffer(vector, "<f2").tolist() == expected.astype("<f2").tolist()
        again = crash("add", gallery, photos, after=rng.uniform(0, whole / 2))
        killed += again
        if again:  # what was committed for a file that is still the same has not gone
            same = {path: row for path, row in found.items() if here.get(row[0]) == Path(os.fsdecode(path))}
            assert same.items() <= committed(gallery).items()
        if moment % 10 == 0:
            with Gallery.open(gallery, model) as opened:
                opened.add(photos)
                assert opened.verify() == []
                seen, hits = contents(opened), found_by(opened)
            with Gallery.open(tmp_path / f"fresh-{moment}", model) as fresh:
                fresh.add(photos)
                assert contents(fresh) == seen
                assert found_by(fresh) == hits
            shutil.rmtree(gallery)
        for path in rng.sample(sorted(photos.glob("*.png")), 6):  # moves, replacements, new files
            counter += 1
            if counter % 3 == 0:
                path.rename(photos / f"moved-{counter}.png")
            elif counter % 3 == 1:
                put(path, png(counter), mtime=counter)
            else:
                put(photos / f"new-{counter}.png", png(counter))
