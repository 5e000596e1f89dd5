"""The FAISS index against a plain matrix product, and its files against every kind of harm."""

import errno
import json
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.gallery.embedded.index import VectorIndex, faiss
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


def test_an_index_is_saved_under_any_path(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """FAISS opens only paths that are UTF-8."""
    store = Store(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \xfe")))
    store.add(50)
    data, record = paths(store.catalogue.folder, store.model)
    save(VectorIndex.build(store.catalogue, store.model), store.catalogue.folder)
    assert data.exists()
    assert record.exists()
    assert load(store.catalogue, store.model) is not None
    assert not caplog.records


def test_threads_save_the_same_index_at_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.add(2000)
    index = VectorIndex.build(store.catalogue, store.model)
    threads = [threading.Thread(target=save, args=(index, store.catalogue.folder)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not caplog.records
    assert load(store.catalogue, store.model) is not None


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


def test_an_index_whose_files_cannot_be_renamed_or_removed_is_a_note(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On some network drives one may write, but not change names."""
    store.add(5)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for call in ("unlink", "replace"):
        monkeypatch.setattr(os, call, refused)
    assert len(load_or_build(store.catalogue, store.model)) == 5
    assert "could not be saved ([Errno 13] Permission denied" in caplog.text


# Files of strangers: the checksum is right, the content is not.


def forge(store: Store, content: bytes, **changes: object) -> None:
    """Write an index file and its record as an attacker would."""
    data, record = paths(store.catalogue.folder, store.model)
    saved = json.loads(record.read_text()) | changes
    facts = {name: value for name, value in saved.items() if name not in ("version", "crc")}
    crc = zlib.crc32(content, zlib.crc32(json.dumps(facts).encode()))
    data.write_bytes(content)
    record.write_text(json.dumps({**saved, "crc": crc}))


def saved_lists(store: Store) -> bytes:
    """The file of an index of lists, saved."""
    save(VectorIndex.build(store.catalogue, store.model, exact_limit=100), store.catalogue.folder)
    return paths(store.catalogue.folder, store.model)[0].read_bytes()


def saved_exact(store: Store) -> bytes:
    save(VectorIndex.build(store.catalogue, store.model), store.catalogue.folder)
    return paths(store.catalogue.folder, store.model)[0].read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"last_row": 10**12},
        {"last_row": -1},
        {"last_row": 10**400},
        {"last_row": "9"},
        {"made_for": None},
        {"generation": 1.5},
        {"epoch": True},
        {"kind": "lists"},
        {"kind": ["exact"]},
        {"stamp": 3},
    ],
    ids=str,
)
def test_a_record_that_lies_is_not_used(
    store: Store, changes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    store.add(120)
    forge(store, saved_exact(store), **changes)
    assert load(store.catalogue, store.model) is None
    assert "it is built again from the database" in caplog.text
    query = store.rng.standard_normal(SIZE).astype(np.float32)
    assert len(load_or_build(store.catalogue, store.model).candidates(query, 10)) == 10


def test_a_deep_record_is_not_used(store: Store) -> None:
    store.add(20)
    saved_exact(store)
    paths(store.catalogue.folder, store.model)[1].write_text("[" * 100_000)
    assert load(store.catalogue, store.model) is None


def other_indexes(store: Store) -> dict[str, Any]:
    """Indexes that FAISS can read and that are not built as ours."""
    rows = np.array(sorted(store.vectors), np.int64)
    vectors = np.stack([store.vectors[row] for row in rows.tolist()])

    def mapped(inner: Any, ids: NDArray[np.int64] = rows) -> Any:
        made = faiss.IndexIDMap(inner)
        made.add_with_ids(np.ascontiguousarray(vectors[:, : inner.d]), ids)
        return made

    quantizer = faiss.ScalarQuantizer
    inner = faiss.METRIC_INNER_PRODUCT
    return {
        "flat": mapped(faiss.IndexFlatIP(SIZE)),
        "no map": faiss.IndexFlatIP(SIZE),
        "graph": mapped(faiss.IndexHNSWFlat(SIZE, 4)),
        "narrow": mapped(faiss.IndexScalarQuantizer(SIZE - 1, quantizer.QT_fp16, inner)),
        "distance": mapped(faiss.IndexScalarQuantizer(SIZE, quantizer.QT_fp16, faiss.METRIC_L2)),
        "rows twice": mapped(faiss.IndexScalarQuantizer(SIZE, quantizer.QT_fp16, inner), np.ones_like(rows)),
        "rows too high": mapped(faiss.IndexScalarQuantizer(SIZE, quantizer.QT_fp16, inner), rows + 10**12),
        "rows below": mapped(faiss.IndexScalarQuantizer(SIZE, quantizer.QT_fp16, inner), -rows),
    }


def test_an_index_of_another_kind_is_not_used(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.add(120)
    saved_exact(store)
    for name, index in other_indexes(store).items():
        forge(store, faiss.serialize_index(index).tobytes())
        assert load(store.catalogue, store.model) is None, name
    assert caplog.text.count("it is built again from the database") == 8


HOSTILE_FILES = """
import random, resource, struct, sys
from pathlib import Path
from tests.gallery.embedded.test_index import SIZE, Store, forge, load, np, saved_exact, saved_lists

store = Store(Path(sys.argv[1]))
store.add(400)
resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**30, 3 * 2**30))
for save in (saved_exact, saved_lists):
    whole = save(store)
    head = len(whole) if save is saved_lists else 120 + len(whole) // 8
    for seed in range(int(sys.argv[2])):
        pick = random.Random(seed)
        data = bytearray(whole)
        for _ in range(pick.randint(1, 3)):
            at = pick.randrange(min(head, 200)) if pick.random() < 0.7 else pick.randrange(len(data))
            if pick.random() < 0.5:
                data[at] = pick.randrange(256)
            else:
                value = pick.choice([0, -1, 2**31 - 1, 2**40 - 1, 2**40 + 1, 2**62, pick.randrange(1000)])
                data[at : at + 8] = struct.pack("<q", value)
        if pick.random() < 0.1:
            del data[pick.randrange(len(data)) :]
        forge(store, bytes(data))
        print(save.__name__, seed, flush=True)
        index = load(store.catalogue, store.model)
        if index is not None:
            index.candidates(np.ones(SIZE, np.float32), 10)
            index.candidates(np.ones(SIZE, np.float32), 3, allowed=np.array([1, 5, 9]))
print("done")
"""


def test_damage_under_a_right_checksum_neither_crashes_nor_fills_the_memory(tmp_path: Path) -> None:
    call = [sys.executable, "-c", HOSTILE_FILES, str(tmp_path / "gallery"), "150"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=250)
    assert done.stdout.splitlines()[-1:] == ["done"], (done.stdout[-40:], done.stderr[-3000:])
