"""The FAISS index against a plain matrix product, and its files against every kind of harm."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.gallery.embedded.index import VectorIndex
from sketchseek.gallery.embedded.index_files import load, load_or_build, paths, save, update_saved_index
from sketchseek.gallery.embedded.writer import Writer
from sketchseek.gallery.records import ModelSet

SIZE = 24


class Store:
    """A catalogue of bare vectors, with the same vectors as a matrix: the oracle."""

    def __init__(self, folder: Path) -> None:
        self.catalogue = Writer(folder)
        with self.catalogue.batch():
            self.model = self.catalogue.add_model("test/1", "test", "test", SIZE)
        self.vectors: dict[int, NDArray[np.float32]] = {}
        self.rng = np.random.default_rng(0)

    def add(self, count: int) -> list[int]:
        """More photos, in clusters; returns their rows."""
        centres = np.random.default_rng(1).standard_normal((12, SIZE))
        rows = []
        with self.catalogue.batch():
            for _ in range(count):
                vector = centres[self.rng.integers(12)] + 0.4 * self.rng.standard_normal(SIZE)
                vector = (vector / np.linalg.norm(vector)).astype(np.float32)
                digest = self.rng.bytes(32)
                content = self.catalogue.add_content(digest, 1, 1, None)
                self.catalogue.add_vector(self.model.row, content, vector)
                self.catalogue.set_file(digest.hex().encode(), 1, 1, content, None)
                row = self.catalogue.vector_row(self.model.row, digest[:8].hex())
                assert row is not None
                self.vectors[row] = vector.astype(np.float16).astype(np.float32)
                rows.append(row)
        return rows

    def remove(self, rows: list[int]) -> None:
        with self.catalogue.batch():
            for row in rows:
                photo = self.catalogue.photo(row)
                assert photo is not None
                self.catalogue.remove_files(photo.paths)
                del self.vectors[row]
            self.catalogue.drop_orphans()

    def best(self, query: NDArray[np.float32], count: int, allowed: set[int] | None = None) -> list[int]:
        """The slow, obvious way."""
        rows = sorted(row for row in self.vectors if allowed is None or row in allowed)
        return sorted(rows, key=lambda row: -float(self.vectors[row] @ query))[:count]

    def query(self) -> NDArray[np.float32]:
        query = self.rng.standard_normal(SIZE).astype(np.float32)
        return query / np.linalg.norm(query)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def model(store: Store) -> ModelSet:
    return store.model


def test_an_exact_index_is_exact(store: Store) -> None:
    store.add(500)
    index = VectorIndex.build(store.catalogue, store.model)
    assert index.probes is None
    for count in (1, 10, 600):
        query = store.query()
        assert index.candidates(query, count).tolist() == store.best(query, count)


def test_lists_find_what_a_plain_scan_finds(store: Store) -> None:
    store.add(3000)
    index = VectorIndex.build(store.catalogue, store.model, exact_limit=1000)
    assert index.probes is not None
    found = 0
    for row in store.rng.choice(list(store.vectors), 50):
        query = store.vectors[row] + store.query()  # as far from photos as drawings are
        found += len(set(index.candidates(query, 36).tolist()) & set(store.best(query, 10)))
    assert found >= 0.97 * 500


@pytest.mark.parametrize("exact_limit", [10_000, 500])
def test_filters_are_part_of_the_scan(store: Store, exact_limit: int) -> None:
    """However narrow the filter: all asked for are found, and nothing else."""
    rows = store.add(2000)
    index = VectorIndex.build(store.catalogue, store.model, exact_limit=exact_limit)
    for width in (1, 7, 100, 1900):
        allowed = set(store.rng.choice(rows, width, replace=False).tolist())
        query = store.query()
        found = index.candidates(query, 20, allowed=np.array(sorted(allowed)))
        assert set(found.tolist()) <= allowed
        assert len(found) == min(20, width)
        best = store.best(query, 5, allowed)
        assert len(set(found.tolist()) & set(best)) >= 0.8 * len(best)
        excluded = index.candidates(query, 20, excluded=best)
        assert not set(excluded.tolist()) & set(best)
    assert index.candidates(store.query(), 20, allowed=np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize("exact_limit", [10_000, 500])
def test_an_index_follows_the_catalogue(store: Store, exact_limit: int) -> None:
    rows = store.add(1000)
    index = VectorIndex.build(store.catalogue, store.model, exact_limit=exact_limit)
    for _ in range(3):
        store.remove(rows[:100])
        rows = rows[100:] + store.add(50)
        index.refresh(store.catalogue)
        assert len(index) == len(store.vectors)
        query = store.query()
        found = set(index.candidates(query, len(index)).tolist())
        assert found == set(store.vectors)
    assert index.changed == 450


def test_an_empty_index_finds_nothing(store: Store) -> None:
    index = VectorIndex.build(store.catalogue, store.model)
    assert index.candidates(store.query(), 5).tolist() == []


def test_kinds_change_with_the_size(store: Store) -> None:
    store.add(100)
    index = VectorIndex.build(store.catalogue, store.model, exact_limit=150)
    assert not index.outgrown(exact_limit=150)
    store.add(100)
    index.refresh(store.catalogue)
    assert index.outgrown(exact_limit=150)
    lists = VectorIndex.build(store.catalogue, store.model, exact_limit=150)
    assert not lists.outgrown(exact_limit=150)
    store.add(300)
    lists.refresh(store.catalogue)
    assert lists.outgrown(exact_limit=150)


@pytest.mark.parametrize("exact_limit", [10_000, 500])
def test_saved_and_loaded_is_the_same(store: Store, exact_limit: int) -> None:
    store.add(800)
    index = VectorIndex.build(store.catalogue, store.model, exact_limit=exact_limit)
    save(index, store.catalogue.folder)
    extra = store.add(10)
    loaded = load(store.catalogue, store.model)
    assert loaded is not None
    assert (loaded.state.kind, loaded.probes, loaded.changed) == (index.state.kind, index.probes, 10)
    query = store.vectors[extra[0]]
    assert loaded.candidates(query, 1).tolist() == [extra[0]]
    index.refresh(store.catalogue)
    assert loaded.candidates(query, 50).tolist() == index.candidates(query, 50).tolist()


def test_every_damaged_byte_is_noticed(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.add(50)
    save(VectorIndex.build(store.catalogue, store.model), store.catalogue.folder)
    data, record = paths(store.catalogue.folder, store.model)
    for path in (data, record):
        whole = path.read_bytes()
        for place in {0, 1, len(whole) // 2, len(whole) - 1, *store.rng.integers(0, len(whole), 30).tolist()}:
            harmed = bytearray(whole)
            harmed[place] ^= 1 << int(store.rng.integers(8))
            path.write_bytes(harmed)
            index = load_or_build(store.catalogue, store.model)
            query = store.query()
            assert index.candidates(query, 10).tolist() == store.best(query, 10)
            path.write_bytes(whole)
    path.write_bytes(whole[: len(whole) // 2])
    assert load(store.catalogue, store.model) is None
    assert "built again from the database" in caplog.text


def test_a_deleted_file_is_made_again(store: Store) -> None:
    store.add(50)
    save(VectorIndex.build(store.catalogue, store.model), store.catalogue.folder)
    data, record = paths(store.catalogue.folder, store.model)
    data.unlink()
    assert load(store.catalogue, store.model) is None
    assert len(load_or_build(store.catalogue, store.model)) == 50
    assert data.exists()
    record.unlink()
    assert len(load_or_build(store.catalogue, store.model)) == 50


def test_an_index_of_a_past_that_was_undone_is_refused(tmp_path: Path) -> None:
    """A database restored from a backup reaches the same generation by another way; the index must not be believed."""
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    first.add(20)
    second.rng = np.random.default_rng(9)
    second.add(20)
    assert first.catalogue.head().generation == second.catalogue.head().generation
    save(VectorIndex.build(first.catalogue, first.model), second.catalogue.folder)
    assert load(second.catalogue, second.model) is None


def test_an_index_of_another_version_is_made_again_without_a_word(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(5)
    save(VectorIndex.build(store.catalogue, store.model), store.catalogue.folder)
    record = paths(store.catalogue.folder, store.model)[1]
    record.write_text(json.dumps(json.loads(record.read_text()) | {"version": 99}))
    assert load(store.catalogue, store.model) is None
    assert not caplog.text


def test_a_writer_saves_only_what_is_worth_it(store: Store) -> None:
    store.add(400)
    update_saved_index(store.catalogue, store.model)
    record = paths(store.catalogue.folder, store.model)[1]
    first = record.read_text()
    store.add(2)
    update_saved_index(store.catalogue, store.model)
    assert record.read_text() == first
    store.add(40)
    update_saved_index(store.catalogue, store.model)
    assert record.read_text() != first


def test_an_index_that_cannot_be_saved_is_a_note(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(5)

    def full(*_: object) -> None:
        raise RuntimeError("No space left on device")

    monkeypatch.setattr("sketchseek.gallery.embedded.index_files.faiss.write_index", full)
    assert len(load_or_build(store.catalogue, store.model)) == 5
    assert "could not be saved (No space left on device)" in caplog.text
    assert not [path for path in store.catalogue.folder.iterdir() if path.suffix == ".new"]
