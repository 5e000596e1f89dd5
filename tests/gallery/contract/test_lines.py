"""The outlines of photos lie beside their vectors, in every store; what an earlier index lacks is filled in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.gallery import Gallery, Hits
from sketchseek.gallery.copying import Copied, copy
from sketchseek.gallery.ingest import Progress
from sketchseek.gallery.query import fuse
from sketchseek.pictures import load_photo
from tests.gallery.contract.conftest import Shop
from tests.gallery.grid_model import GridModel, lines_of
from tests.gallery.photos import fill, jpeg, png, put
from tests.gallery.test_ingest import counts

Open = Callable[..., Gallery]


def kept(gallery: Gallery) -> dict[Path, bytes | None]:
    """path -> the outlines that the gallery has."""
    model = gallery.current_model()
    assert model is not None
    return {
        Path(entry.path.decode()): entry.facts.lines
        for page in gallery.entries(model)
        for entry in page
        if entry.facts is not None
    }


def right(photos: Path) -> dict[Path, bytes | None]:
    """path -> the outlines that the test model makes, one photo at a time."""
    return {path: lines_of(load_photo(path, target=16)).tobytes() for path in photos.rglob("*.*g")}


@pytest.fixture
def some(photos: Path) -> Path:
    fill(photos, 6)
    put(photos / "copies" / "2.png", png(2))
    put(photos / "tall.jpg", jpeg(1, turned=True))
    return photos


def test_outlines_are_kept_beside_the_vectors(gallery: Gallery, some: Path, model: GridModel) -> None:
    assert counts(gallery.add(some, batch=3)) == {"added": 8}
    assert kept(gallery) == right(some)
    assert len(set(kept(gallery).values())) == 7
    (some / "00000.png").rename(some / "moved.png")
    put(some / "00001.png", png(70), mtime=2000)
    (some / "00003.png").unlink()
    assert counts(gallery.add(some)) == {"moved": 1, "updated": 1, "removed": 1, "unchanged": 5}
    assert kept(gallery) == right(some)
    assert model.encoded == 8
    assert gallery.verify() == []


def test_an_index_fills_in_what_an_earlier_one_did_not_keep(open_gallery: Open, some: Path) -> None:
    """The vectors stay; a search works before and after."""
    with open_gallery(GridModel(lines=False)) as gallery:
        gallery.add(some)
        assert set(kept(gallery).values()) == {None}
    model = GridModel()
    with open_gallery(model) as gallery:
        before = gallery.search(text="red", k=50)
        put(some / "new.png", png(80))
        report = gallery.add(some, batch=3)
        assert counts(report) == {"added": 1, "unchanged": 8}
        assert (report.completed, model.encoded) == (8, 8)  # 7 photos, one of them twice, and the new one
        assert kept(gallery) == right(some)
        (some / "new.png").unlink()
        report = gallery.add(some)
        assert (counts(report), report.completed, model.encoded) == ({"unchanged": 8, "removed": 1}, 0, 8)
        assert gallery.search(text="red", k=50) == before
        assert gallery.verify() == []
    with open_gallery(GridModel(lines=False)) as gallery:  # such a run does not take them away
        put(some / "00001.png", png(1), mtime=3000)
        assert counts(gallery.add(some)) == {"unchanged": 8}
        assert kept(gallery) == right(some)


def test_filling_in_goes_on_where_it_was_stopped(open_gallery: Open, some: Path) -> None:
    with open_gallery(GridModel(lines=False)) as gallery:
        gallery.add(some)

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with open_gallery(GridModel()) as gallery, pytest.raises(KeyboardInterrupt):
        gallery.add(some, batch=3, progress=stop)
    model = GridModel()
    with open_gallery(model) as gallery:
        there = {path for path, lines in kept(gallery).items() if lines is not None}
        assert 3 <= len(there) < 8
        report = gallery.add(some)
        assert counts(report) == {"unchanged": 8}
        assert 8 - len(there) <= report.completed <= 6  # a server keeps a copy's outlines in a row of its own
        assert model.encoded <= 5
        assert kept(gallery) == right(some)


def test_a_photo_that_cannot_be_given_outlines_is_kept(open_gallery: Open, some: Path) -> None:
    class Choosy(GridModel):
        """Fails with one photo."""

        def encode_photos_with_lines(self, photos: Any) -> Any:
            if any(photo.shape[0] > photo.shape[1] for photo in photos):
                raise RuntimeError("too tall")
            return super().encode_photos_with_lines(photos)

    with open_gallery(GridModel(lines=False)) as gallery:
        gallery.add(some)
        before = gallery.search(text="red", k=50)
    with open_gallery(Choosy()) as gallery:
        report = gallery.add(some)
        assert counts(report) == {"unchanged": 7, "failed": 1}
        assert report.failed[0].reason == "the model cannot encode it (too tall); it is kept as it was"
        assert kept(gallery) == right(some) | {some / "tall.jpg": None}
        assert gallery.failures() == []
        assert gallery.search(text="red", k=50) == before
    with open_gallery(GridModel()) as gallery:
        report = gallery.add(some)
        assert (counts(report), report.completed) == ({"unchanged": 8}, 1)
        assert kept(gallery) == right(some)


def test_candidates_come_with_their_outlines(shop: Shop, some: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have some, and a mark for the others."""
    found: dict[Path, bytes | None] = {}

    def spy(candidates: Any, parts: Any, *_: object) -> Hits:
        keys, _vectors, _more = candidates.nearest(fuse(parts), 50)
        lines, there = candidates.lines(keys)
        assert (lines.dtype, lines.shape, there.dtype, there.shape) == (np.uint8, (8, 8), bool, (8,))
        for key, row, has in zip(keys, lines, there, strict=True):
            found[candidates.hit(key, 0.0).path] = row.tobytes() if has else None
        assert candidates.lines([])[0].shape[0] == 0
        return Hits()

    with shop.open(GridModel()) as gallery:
        gallery.add(some)
    wanted = right(some)
    del wanted[some / "copies" / "2.png"]
    wanted[put(some / "without.png", png(90))] = None
    with shop.open(GridModel(lines=False)) as gallery:
        gallery.add(some)
        monkeypatch.setattr(f"sketchseek.gallery.{shop.kind}.gallery.rank", spy)
        gallery.search(text="red")
    assert found == wanted


def test_outlines_are_copied_there_and_back(shop: Shop, some: Path, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "first", GridModel()) as first:
        first.add(some)
    there = shop.open()
    assert copy(first, there).copied == 8
    assert kept(there) == right(some)
    back = Gallery.open(tmp_path / "back")
    assert copy(there, back).copied == 8
    assert kept(back) == right(some)


def test_a_second_copy_brings_the_outlines_that_the_first_did_not_have(shop: Shop, some: Path, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "first", GridModel(lines=False)) as first:
        first.add(some)
    there = shop.open()
    copy(first, there)
    assert copy(first, there) == Copied(files=8, copied=0, there=8, compared=7)
    with Gallery.open(tmp_path / "first", GridModel()) as first:
        first.add(some)
    assert copy(first, there) == Copied(files=8, copied=8, there=0, compared=7)
    assert kept(there) == right(some)
    assert copy(first, there) == Copied(files=8, copied=0, there=8, compared=7)
