import os
from pathlib import Path

import numpy as np
import pytest

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.evaluation.vectors.encoding import BATCH, encode_files
from sketchseek.pictures import load_photo, load_sketch
from tests.evaluation.edges import EdgeModel
from tests.evaluation.trees import make_tree, polygon, save


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data", ["bat", "cow", "door"], photos=5, sketches=4)


def encode(model, kind, files, cache, log=None):
    return encode_files(
        model, kind, files, cache, lambda *said: log.append(said) if log is not None else None, what=f"{kind}s"
    )


def temporary() -> VectorCache:
    return VectorCache(None, pytest.fail)


def test_vectors_are_those_of_each_picture_alone(root: Path) -> None:
    photos, sketches = sorted(root.glob("photo/*/*")), sorted(root.glob("sketch/*/*"))
    model = EdgeModel()
    with temporary() as cache:
        found = encode(model, "photo", photos, cache).vectors
        drawn = encode(model, "sketch", sketches, cache).vectors
    np.testing.assert_array_equal(
        found, [EdgeModel().encode_photos([load_photo(file, target=48)])[0] for file in photos]
    )
    np.testing.assert_array_equal(drawn, [EdgeModel().encode_sketches([load_sketch(file)])[0] for file in sketches])


def test_a_second_run_encodes_and_reads_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(root.glob("photo/*/*"))
    with VectorCache(tmp_path / "cache", pytest.fail) as cache:
        first = encode(EdgeModel(), "photo", files, cache)
    model = EdgeModel()
    monkeypatch.setattr(
        "sketchseek.evaluation.vectors.encoding._hash", lambda name: pytest.fail(f"{name} was read again")
    )
    with VectorCache(tmp_path / "cache", pytest.fail) as cache:
        second = encode(model, "photo", files, cache)
    assert (first.computed, second.computed, model.encoded["photos"]) == (15, 0, 0)
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_only_what_changed_is_encoded_again(root: Path, tmp_path: Path) -> None:
    files = sorted(root.glob("photo/*/*"))
    with VectorCache(tmp_path / "cache", pytest.fail) as cache:
        encode(EdgeModel(), "photo", files, cache)
        save(polygon(5, 1, filled=True), files[3])
        os.utime(files[4])  # touched, but the same content
        again = encode(EdgeModel(), "photo", files, cache)
    assert again.computed == 1
    np.testing.assert_array_equal(again.vectors[3], EdgeModel().encode_photos([load_photo(files[3])])[0])


def test_another_model_and_the_other_kind_are_encoded(root: Path) -> None:
    files = sorted(root.glob("sketch/*/*"))
    with temporary() as cache:
        counts = [
            encode(model, kind, files, cache).computed
            for model, kind in ((EdgeModel(), "sketch"), (EdgeModel(2.0), "sketch"), (EdgeModel(), "photo"))
        ]
    assert counts == [12, 12, 12]


def test_equal_content_is_encoded_once(tmp_path: Path) -> None:
    make_tree(tmp_path, ["bat"], photos=3, sketches=1, extended=3)
    files = sorted(tmp_path.glob("*photo/*/*"))
    with temporary() as cache:
        found = encode(EdgeModel(), "photo", files, cache)
    assert (len(files), found.computed) == (6, 3)
    np.testing.assert_array_equal(found.vectors[:3], found.vectors[3:])


def test_broken_files_are_named_and_the_others_encoded(root: Path) -> None:
    files = sorted(root.glob("photo/*/*"))
    files[0].write_bytes(b"")
    files[1].write_bytes(files[2].read_bytes()[:60])
    files[3].write_text("no picture")
    files[4].write_text("no picture")
    with temporary() as cache:
        found = encode(EdgeModel(), "photo", [*files, root / "missing.png", root], cache)
    assert list(found.broken) == [0, 1, 3, 4, 15, 16]
    assert "empty" in found.broken[0]
    assert found.broken[3] == found.broken[4]
    assert found.broken[15] == "No such file or directory"
    assert "regular file" in found.broken[16]
    assert all(found.broken.values())
    assert not found.vectors[list(found.broken)].any()
    assert found.vectors[5:15].any(axis=1).all()


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with temporary() as cache:
        assert encode(EdgeModel(), "photo", [tmp_path / "pipe.png"], cache).broken


def test_progress_counts_up_to_the_whole(tmp_path: Path) -> None:
    for i in range(BATCH + 6):
        save(polygon(i % 5, i, filled=True), tmp_path / f"{i}.png")
    log: list[tuple[str, int, int]] = []
    with temporary() as cache:
        encode(EdgeModel(), "photo", sorted(tmp_path.glob("*.png")), cache, log)
    stages = {what: [done for name, done, _ in log if name == what] for what, _, _ in log}
    assert set(stages) == {"reading photos", "encoding photos"}
    for what, steps in stages.items():
        assert steps == sorted(steps)
        assert steps[-1] == next(total for name, _, total in log if name == what)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows * np.nan, "not finite"),
        (lambda rows: rows * np.float32(0), "not finite or all zero"),
        (lambda rows: rows[:, :5], "shape"),
        (lambda rows: rows.astype(np.float64), "float64"),
    ],
)
def test_a_broken_model_is_one_sentence(root: Path, spoil, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = EdgeModel()
    good = model.encode_photos
    monkeypatch.setattr(model, "encode_photos", lambda photos: spoil(good(photos)))
    with temporary() as cache, pytest.raises(SketchseekError, match=said):
        encode(model, "photo", sorted(root.glob("photo/*/*")), cache)
