import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketchseek.caches import cache_folder
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors.cache import FILE_NAME, VectorCache

A, B = b"a" * 32, b"b" * 32
VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


def cache(folder: Path | None, notes: list[str] | None = None) -> VectorCache:
    return VectorCache(folder, (notes if notes is not None else []).append)


def fill(folder: Path) -> None:
    with cache(folder) as kept:
        kept.remember_digests([("/x", (3, 4), A)])
        kept.remember_vectors("m", "photo", [A, B], VECTORS)


def test_what_is_kept_is_there_in_the_next_run(tmp_path: Path) -> None:
    fill(tmp_path / "new" / "folder")
    with cache(tmp_path / "new" / "folder") as kept:
        assert kept.digests({"/x": (3, 4), "/y": (3, 4)}) == {"/x": A}
        found = kept.vectors("m", "photo", [B, A, b"c" * 32], 3)
    assert found.keys() == {A, B}
    np.testing.assert_array_equal(found[B], VECTORS[1])
    assert found[B].dtype == np.float32


@pytest.mark.parametrize("stamp", [(4, 4), (3, 5)])
def test_a_file_that_changed_is_not_known(tmp_path: Path, stamp: tuple[int, int]) -> None:
    fill(tmp_path)
    with cache(tmp_path) as kept:
        assert kept.digests({"/x": stamp}) == {}


@pytest.mark.parametrize(("model", "kind", "size"), [("other", "photo", 3), ("m", "sketch", 3), ("m", "photo", 4)])
def test_vectors_of_another_model_kind_or_size_are_not_taken(tmp_path: Path, model, kind, size) -> None:
    fill(tmp_path)
    with cache(tmp_path) as kept:
        assert kept.vectors(model, kind, [A], size) == {}


def test_more_values_than_sqlite_takes_in_one_question() -> None:
    digests = [i.to_bytes(32, "big") for i in range(2345)]
    vectors = np.arange(2345, dtype=np.float32)[:, None]
    with cache(None) as kept:
        kept.remember_vectors("m", "photo", digests, vectors)
        found = kept.vectors("m", "photo", digests, 1)
    assert [float(found[digest][0]) for digest in digests] == vectors[:, 0].tolist()


def test_without_a_folder_nothing_outlives_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with cache(None) as kept:
        kept.remember_vectors("m", "photo", [A, B], VECTORS)
    with cache(None) as kept:
        assert kept.vectors("m", "photo", [A], 3) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_turned_bit_in_a_vector_is_a_miss(tmp_path: Path) -> None:
    fill(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as base:
        base.execute("UPDATE vectors SET vector = ? WHERE digest = ?", ((VECTORS[0] + 1).tobytes(), A))
    base.close()
    with cache(tmp_path) as kept:
        assert kept.vectors("m", "photo", [A, B], 3).keys() == {B}


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_replaced_with_one_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    notes: list[str] = []
    with cache(tmp_path, notes) as kept:
        assert kept.vectors("m", "photo", [A], 3) == {}
        kept.remember_vectors("m", "photo", [A, B], VECTORS)
        assert kept.vectors("m", "photo", [A], 3).keys() == {A}
    assert len(notes) == 1
    assert str(tmp_path / FILE_NAME) in notes[0]


def test_damage_that_shows_only_in_use_is_mended_too(tmp_path: Path) -> None:
    digests = [i.to_bytes(32, "big") for i in range(3000)]
    with cache(tmp_path) as kept:
        kept.remember_vectors("m", "photo", digests, np.ones((3000, 8), np.float32))
    file = tmp_path / FILE_NAME
    content = bytearray(file.read_bytes())
    content[8192:-4096] = b"\xee" * (len(content) - 8192 - 4096)  # the first pages, with the tables' names, stay
    file.write_bytes(content)
    notes: list[str] = []
    with cache(tmp_path, notes) as kept:
        kept.vectors("m", "photo", digests, 8)
        kept.remember_vectors("m", "photo", digests[:1], np.ones((1, 8), np.float32))
        assert kept.vectors("m", "photo", digests, 8).keys() == {digests[0]}
    assert len(notes) == 1


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SketchseekError, match="--no-cache"):
        cache(tmp_path / "file" / "below")
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SketchseekError, match="--no-cache"):
        cache(tmp_path)


def test_runs_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    script = """
import sys, pathlib, numpy as np
from sketchseek.evaluation.vectors.cache import VectorCache
me = int(sys.argv[2])
with VectorCache(pathlib.Path(sys.argv[1]), print) as kept:
    for i in range(40):
        kept.remember_vectors("m", "photo", [bytes([me, i]) * 16], np.full((1, 4), me + i, np.float32))
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(me)], stdout=subprocess.PIPE)
        for me in range(3)
    ]
    assert [run.communicate(timeout=120)[0] for run in runs] == [b"", b"", b""]
    assert [run.returncode for run in runs] == [0, 0, 0]
    with cache(tmp_path) as kept:
        found = kept.vectors("m", "photo", [bytes([me, i]) * 16 for me in range(3) for i in range(40)], 4)
    assert len(found) == 120


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SKETCHSEEK_CACHE")
    assert cache_folder().name == "sketchseek"
