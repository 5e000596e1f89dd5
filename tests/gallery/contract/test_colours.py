"""The colours and cameras of photos are kept in every store; what an earlier index lacks is filled in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.colours import pack
from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.copying import copy
from sketchseek.pictures import load_photo, sketch_from_strokes
from tests.gallery.contract.conftest import Shop
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import counts

Open = Callable[..., Gallery]


def kept(gallery: Gallery) -> dict[str, tuple[bytes | None, str | None]]:
    """name -> colours and camera that the gallery has."""
    model = gallery.current_model()
    assert model is not None
    return {
        Path(entry.path.decode()).name: (entry.facts.colours, entry.facts.camera)
        for page in gallery.entries(model)
        for entry in page
        if entry.facts is not None
    }


def right(photos: Path) -> dict[str, tuple[bytes | None, str | None]]:
    return {
        path.name: (pack(load_photo(path, target=16)), "Acme One" if path.name == "camera.jpg" else None)
        for path in photos.rglob("*.*g")
    }


@pytest.fixture
def some(photos: Path) -> Path:
    """Five photos, one of them twice; halves of blue and red either way up; one with a camera."""
    fill(photos, 5)
    put(photos / "copies" / "2.png", png(2))
    halves = np.empty((64, 64, 3), np.uint8)
    halves[:32], halves[32:] = (43, 108, 212), (214, 40, 40)
    Image.fromarray(halves).save(photos / "blue_above.png")
    Image.fromarray(halves[::-1]).save(photos / "red_above.png")
    exif = Image.Exif()
    exif[271], exif[272] = "Acme Corp.", "One"
    Image.fromarray(halves // 2).save(photos / "camera.jpg", exif=exif)
    return photos


def forget_facts(monkeypatch: pytest.MonkeyPatch, keep: bool = False) -> None:
    """Index as a version did that did not keep them, or as today."""
    monkeypatch.setattr("sketchseek.gallery.ingest.keeps_facts", lambda store: keep and hasattr(store, "without_facts"))


def test_they_are_kept_and_follow_the_photo(gallery: Gallery, some: Path, model: GridModel) -> None:
    assert counts(gallery.add(some, batch=3)) == {"added": 9}
    assert kept(gallery) == right(some)
    (some / "00000.png").rename(some / "moved.png")
    put(some / "00001.png", png(70), mtime=2000)
    (some / "00003.png").unlink()
    assert counts(gallery.add(some)) == {"moved": 1, "updated": 1, "removed": 1, "unchanged": 6}
    assert kept(gallery) == right(some)
    assert model.encoded == 9
    assert gallery.verify() == []


def test_the_next_index_fills_them_in_without_the_model(
    shop: Shop, open_gallery: Open, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        forget_facts(patch)
        with open_gallery(GridModel()) as gallery:
            gallery.add(some)
            if shop.kind != "milvus":
                assert "does not know the colours" in str(gallery.search(colours=coloured()).why_none(9))
            assert set(kept(gallery).values()) == {(None, None)}
            before = gallery.search(sketch=coloured(), k=50)  # works without
    model = GridModel()
    with open_gallery(model) as gallery:
        report = gallery.add(some, batch=3)
        assert (counts(report), report.completed, model.encoded) == ({"unchanged": 9}, 9, 0)
        assert kept(gallery) == right(some)
        assert gallery.add(some).completed == 0
        assert {hit.id for hit in gallery.search(sketch=coloured(), k=50)} == {hit.id for hit in before}


def coloured(above: str | None = "#2b6cd4", below: str | None = "#d62828") -> object:
    strokes = [[[5, 95], [20, 20]], [[5, 95], [60, 60]]]
    return sketch_from_strokes(strokes, sheet=(100, 80), widths=[3, 3], colours=[above, below])


def test_coloured_strokes_bring_photos_of_their_colours(gallery: Gallery, some: Path) -> None:
    gallery.add(some)
    plain = gallery.search(sketch=coloured(None, None), k=50)
    order = [hit.path.name for hit in gallery.search(sketch=coloured(), k=50)]
    other_way = [hit.path.name for hit in gallery.search(sketch=coloured("#d62828", "#2b6cd4"), k=50)]
    assert order.index("blue_above.png") < order.index("red_above.png")
    assert other_way.index("red_above.png") < other_way.index("blue_above.png")
    assert gallery.search(sketch=coloured(), weights={"colours": 0}, k=50) == plain
    assert gallery.search(text="red", colours=some / "blue_above.png", k=1)[0].path.name == "blue_above.png"


def test_a_colour_in_words_brings_photos_that_show_it(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.mkdir(exist_ok=True)
    for number in range(4):
        pixels = np.full((64, 64, 3), 120 + number, np.uint8)
        if number % 2:
            pixels[:16] = (200, 35, 35)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    gallery.add(photos)
    text = "red" + 50 * " thing"  # hardly red to the model
    shown = {"1.png", "3.png"}
    for weight, first in ((0.0, {"0.png", "2.png"}), (10.0, shown)):
        monkeypatch.setattr("sketchseek.neighbours.PREFERENCE", weight)
        assert {hit.path.name for hit in gallery.search(text=text, k=2)} == first
    assert {hit.path.name for hit in gallery.search(text=text, k=2, look="direct")} != shown


def test_colours_alone_are_a_query(shop: Shop, gallery: Gallery, some: Path) -> None:
    gallery.add(some)
    if shop.kind == "milvus":
        with pytest.raises(GalleryError, match="not searched by colours alone; add a drawing"):
            gallery.search(colours=coloured())
        return
    hits = gallery.search(sketch=coloured(), weights={"sketch": 0}, k=3)
    assert [hit.path.name for hit in hits][:2] == ["blue_above.png", "camera.jpg"]
    assert hits[0].relevance is None
    assert hits[0].score > hits[1].score
    assert hits == gallery.search(colours=coloured(), k=50)[:3]
    assert [hit.path.name for hit in gallery.search(colours=coloured(), under=some / "copies")] == ["2.png"]
    assert gallery.search(colours=coloured(), taken="1999") == []
    assert hits[0].id not in {hit.id for hit in gallery.search(colours=coloured(), k=50, skip=[hits[0].id])}
    with pytest.raises(GalleryError, match="colours alone give no relevance"):
        gallery.search(colours=coloured(), min_relevance=0.1)


def test_photos_of_a_camera_are_found(shop: Shop, gallery: Gallery, some: Path) -> None:
    gallery.add(some)
    assert [hit.path.name for hit in gallery.search(text="red", camera="Acme One")] == ["camera.jpg"]
    assert gallery.search(text="red", camera='"\\Acme One"') == []
    if shop.kind == "milvus":
        with pytest.raises(GalleryError, match="no filters by file name and kind"):
            gallery.search(text="red", name="camera")


def test_they_are_copied_there_and_back(
    shop: Shop, some: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(tmp_path / "first", GridModel()) as first:
        with monkeypatch.context() as patch:
            forget_facts(patch)
            first.add(some)
        there = shop.open()
        assert copy(first, there).copied == 9
        first.add(some)
        assert copy(first, there).copied == 9  # brings what the first copy did not have
        assert copy(first, there).copied == 0
    assert kept(there) == right(some)
    back = Gallery.open(tmp_path / "back")
    copy(there, back)
    assert kept(back) == right(some)


def test_hits_carry_a_small_picture(gallery: Gallery, some: Path) -> None:
    gallery.add(some)
    found = gallery.search(text="red", k=4)
    assert [hit.colours for hit in found] == [pack(load_photo(hit.path, target=16)) for hit in found]
    assert gallery.photo(found[0].id).colours == found[0].colours
