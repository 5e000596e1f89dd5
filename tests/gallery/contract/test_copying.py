"""From a folder to the server and back, and between folders: nothing changes on the way."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.copying import Copied, copy
from tests.gallery.contract.conftest import Shop
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, png, put
from tests.gallery.test_ingest import contents, counts


@pytest.fixture
def filled(tmp_path: Path, photos: Path) -> Gallery:
    """In a folder: photos, copies, a failure, an odd name, dates."""
    fill(photos, 20)
    put(photos / "copies" / "7.png", png(7))
    put(photos / "broken.jpg", b"x")
    put(Path(os.fsdecode(os.fsencode(photos) + b"/\xff \n.png")), png(50))
    put(photos / "dated.jpg", jpeg(1, taken="2021:07:04 12:33:10", turned=True))
    gallery = Gallery.open(tmp_path / "first", GridModel())
    gallery.add(photos)
    return gallery


def test_a_round_trip_changes_nothing(shop: Shop, filled: Gallery, photos: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    there = shop.open()
    done = copy(filled, there, progress=lambda so_far: seen.append(so_far.files))
    assert done == Copied(files=24, copied=24, there=0, compared=22)
    assert sum(seen) >= 24
    assert copy(filled, there) == Copied(files=24, copied=0, there=24, compared=22)
    with shop.open(GridModel()) as opened:
        assert counts(opened.add(photos)) == {"unchanged": 23, "failed": 1}
        assert opened.search(text="red", k=50) == filled.search(text="red", k=50)
        assert opened.failures() == filled.failures()
        assert opened.verify() == []
    back = Gallery.open(tmp_path / "back")
    assert copy(there, back) == Copied(files=24, copied=24, there=0, compared=22)
    assert contents(back) == contents(filled)
    assert back.verify() == []


def test_collections_come_along_or_are_said_to_stay(
    shop: Shop, filled: Gallery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [hit.id for hit in filled.search(text="red", k=5)]
    filled.collections.add("birds", ids)
    filled.collections.save_search("ducks", {"text": ["duck"]})
    with shop.open() as there:
        copy(filled, there)
        if not there.keeps_collections:
            assert caplog.messages == [
                f"1 collection and 1 saved search stay in {filled.path} alone: the store of {there.path} keeps none"
            ]
            return
        for _ in range(2):
            assert [hit.id for hit in there.collections.photos("birds")] == ids
            assert [one.query for one in there.collections.searches()] == [{"text": ["duck"]}]
            copy(filled, there)
    assert not caplog.messages


def test_a_copy_that_was_stopped_goes_on(shop: Shop, filled: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.gallery.embedded.gallery.PAGE", 5)

    def stop(done: Copied) -> None:
        if done.files == 15:
            raise KeyboardInterrupt

    with shop.open() as there, pytest.raises(KeyboardInterrupt):
        copy(filled, there, progress=stop)
    done = copy(filled, shop.open())
    assert (done.copied, done.there, done.files) == (9, 15, 24)


def test_what_cannot_be_copied_is_said(shop: Shop, filled: Gallery, tmp_path: Path, photos: Path) -> None:
    with Gallery.open(tmp_path / "empty") as empty, pytest.raises(GalleryError, match="holds no vectors to copy"):
        copy(empty, shop.open())
    other = shop.open(GridModel("other"))
    other.add(photos)
    if shop.kind == "milvus":
        with pytest.raises(GalleryError, match="were made by grid-other"):
            copy(filled, shop.open())
    else:
        copy(filled, shop.open())
        assert [one.name for one in shop.open().stats().models] == ["grid-other", "grid-plain"]


def test_vectors_that_differ_are_noticed(
    shop: Shop, filled: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drifting(GridModel):
        """The same model on a machine that rounds otherwise."""

        def encode_photos(self, photos):
            return super().encode_photos(photos) * 0.999

    shop.open(Drifting()).add(photos)
    with pytest.raises(GalleryError, match="22 of 22 vectors compared differ"):
        copy(filled, shop.open())


@pytest.mark.milvus
@pytest.mark.timeout(900)
def test_fifty_thousand_vectors_come_back_bit_by_bit(tmp_path: Path) -> None:
    import numpy as np

    from sketchseek.gallery.embedded.writer import Writer
    from tests.gallery.contract.conftest import drop
    from tests.gallery.milvus_server import shared

    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((50_000, 64), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = np.float16(6e-8)  # the smallest that a half float knows
    writer = Writer(tmp_path / "first")
    with writer.batch():
        model = writer.add_model("m", "m", "m", 64)
        writer.use_model(model.row)
        writer.add_folder(b"/photos", 1)
        for number, vector in enumerate(vectors):
            content = writer.add_content(rng.bytes(32), 4000, 3000, None)
            writer.add_vector(model.row, content, vector)
            writer.set_file(b"/photos/%d/%d.jpg" % (number % 100, number), 1, number, content, None)
    writer.close()
    place = shared().url("fifty_thousand")
    try:
        with (
            Gallery.open(tmp_path / "first") as first,
            Gallery.open(place, roots={"photos": "/photos"}) as there,
            Gallery.open(tmp_path / "back") as back,
        ):
            assert copy(first, there).copied == 50_000
            assert copy(there, back).copied == 50_000
            assert contents(back) == contents(first)
    finally:
        drop(place)


def test_copying_is_a_command(shop: Shop, filled: Gallery, run_sketchseek: Callable[..., str]) -> None:
    roots = [part for name, folder in shop.roots.items() for part in ("--root", f"{name}={folder}")]
    said = run_sketchseek("gallery", "copy", str(filled.path), shop.place, *(roots if shop.kind == "milvus" else ()))
    assert said == "24 files copied, 0 were there already; 24 counted, 22 vectors compared: no problems found\n"
