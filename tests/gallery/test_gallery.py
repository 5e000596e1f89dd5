"""The face: opening, defaults, removing, what is refused, how things look."""

import io
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from PIL import Image

import sketchseek.engine.models
from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.embedded.gallery import EmbeddedGallery
from sketchseek.gallery.paths import default_gallery
from sketchseek.gallery.sheet import write_sheet
from sketchseek.gallery.watch import follow
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, flat, png, put


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were loaded; ``load_model`` makes test models."""
    loaded: list[str] = []

    def load(name: str) -> GridModel:
        loaded.append(str(name))
        return GridModel(Path(name).name.removeprefix("grid-"))

    monkeypatch.setattr(sketchseek.engine.models, "load_search_model", load)
    return loaded


def test_the_model_is_loaded_by_name_only_when_needed(tmp_path: Path, photos: Path, models: list[str]) -> None:
    fill(photos, 3)
    with Gallery.open(tmp_path / "g", "one") as gallery:
        assert models == []
        gallery.add(photos)
    with Gallery.open(tmp_path / "g") as gallery:
        first = gallery.stats()
        assert isinstance(gallery, EmbeddedGallery)
        photo = gallery._reader.photo(1)
        assert photo is not None
        hit = gallery.similar(photo.id)[0]
        gallery.photo(hit.id)
        assert models == ["one"]
        assert len(gallery.search(text="red")) == 3
        assert models == ["one", "one"]
        assert gallery.add().unchanged == 3
        assert first.models[0].name == "grid-one"


def test_a_models_folder_is_found_again_from_elsewhere(
    tmp_path: Path, photos: Path, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(photos, 1)
    (tmp_path / "here" / "run").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with Gallery.open(tmp_path / "g", "run") as gallery:
        gallery.add(photos)
    monkeypatch.chdir(tmp_path)
    with Gallery.open(tmp_path / "g") as gallery:
        gallery.search(text="red")
    assert models == ["run", str(tmp_path / "here" / "run")]


def test_a_model_that_changed_under_its_name_is_refused(
    tmp_path: Path, photos: Path, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(photos, 1)
    with Gallery.open(tmp_path / "g", "one") as gallery:
        gallery.add(photos)
    monkeypatch.setattr(sketchseek.engine.models, "load_search_model", lambda name: GridModel("retrained"))
    with Gallery.open(tmp_path / "g") as gallery, pytest.raises(GalleryError, match="no longer the one"):
        gallery.search(text="red")


def test_where_no_model_is_named_the_one_that_ships_is_taken(tmp_path: Path, photos: Path, models: list[str]) -> None:
    fill(photos, 1)
    with Gallery.open(tmp_path / "g") as gallery:
        assert gallery.search(text="red") == []
        assert models == []
        gallery.add(photos)
        assert models == ["default"]
        assert gallery.stats().models[0].name == "grid-default"


def test_an_empty_gallery_answers_with_nothing(gallery: Gallery, photos: Path) -> None:
    assert gallery.search(text="red") == []
    gallery.add(photos)
    assert gallery.search(text="red") == []
    assert gallery.verify() == []
    assert gallery.stats().photos == 0
    with pytest.raises(GalleryError, match="has no photo 'ffffffffffffffff'"):
        gallery.similar("ffffffffffffffff")


@pytest.mark.parametrize("id", ["", "x", "12", "zz" * 8, "0" * 16, "../../etc/passwd"])
def test_what_is_no_id_is_refused(gallery: Gallery, photos: Path, id: str) -> None:
    fill(photos, 1)
    gallery.add(photos)
    for ask in (gallery.photo, gallery.similar):
        with pytest.raises(GalleryError, match="has no photo"):
            ask(id)


def test_ids_survive_moves_and_are_the_same_everywhere(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    path = put(photos / "a.png", png(1))
    gallery.add(photos)
    id = gallery.search(text="red")[0].id
    path.rename(photos / "b.png")
    gallery.add(photos)
    assert gallery.photo(id).path == photos / "b.png"
    with Gallery.open(tmp_path / "other", GridModel("other")) as other:
        other.add(photos)
        assert other.search(text="red")[0].id == id


def test_removing_forgets_files_and_folders_and_their_vectors(gallery: Gallery, photos: Path) -> None:
    paths = fill(photos / "a", 3)
    fill(photos / "ab", 2, first=10)
    gallery.add([photos / "a", photos / "ab"])
    assert gallery.remove(paths[0]) == 1
    assert gallery.remove([photos / "a"]) == 2
    assert gallery.stats().folders == [photos / "ab"]
    assert {hit.path.parent for hit in gallery.search(text="red")} == {photos / "ab"}
    assert gallery.stats().models[0].vectors == 2
    assert gallery.remove(photos / "never") == 0
    assert paths[0].exists()


def test_k_must_be_at_least_one(gallery: Gallery, photos: Path) -> None:
    fill(photos, 1)
    gallery.add(photos)
    with pytest.raises(GalleryError, match="k is 0"):
        gallery.search(text="red", k=0)


def test_the_default_place_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKETCHSEEK_GALLERY", str(tmp_path / "mine"))
    assert default_gallery() == tmp_path / "mine"
    monkeypatch.delenv("SKETCHSEEK_GALLERY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Path(default_gallery()).name == "gallery"


def test_a_gallery_among_the_photos_does_not_index_itself(photos: Path) -> None:
    fill(photos, 2)
    with Gallery.open(photos / "gallery", GridModel()) as gallery:
        put(photos / "gallery" / "thumbnail.png", png(50))
        assert gallery.add(photos).added == 2


def test_hits_show_themselves_in_a_notebook(gallery: Gallery, photos: Path) -> None:
    put(photos / "<b>.png", png(1, side=400))
    put(photos / "z.png", png(1, side=400))
    put(photos / "gone.png", flat((1, 2, 3)))
    gallery.add(photos)
    (photos / "gone.png").unlink()
    hits = gallery.search(photo=png(1), k=2)
    html = hits._repr_html_()
    assert html.count("data:image/jpeg;base64,") == 1
    assert "&lt;b&gt;.png" in html
    assert "and 1 more like it" in html
    assert "there is no such file" in html
    assert max(hits[0].thumbnail().size) == 160
    assert "data:image" in hits[0]._repr_html_()
    assert gallery.search(text="red", min_score=2)._repr_html_() == "<p>Nothing found.</p>"


def test_transparent_photos_are_shown_on_white(gallery: Gallery, photos: Path) -> None:
    """Stickers and emoji: a black line on nothing must not become black on black."""
    stream = io.BytesIO()
    sticker = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    sticker.paste((0, 0, 0, 255), (20, 20, 44, 44))
    sticker.save(stream, "PNG")
    put(photos / "sticker.png", stream.getvalue())
    gallery.add(photos)
    thumbnail = gallery.search(text="red")[0].thumbnail()
    assert thumbnail.getpixel((2, 2)) == (255, 255, 255)
    assert thumbnail.getpixel((32, 32)) == (0, 0, 0)


def test_a_sheet_is_one_picture_or_one_page(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    fill(photos, 7)
    put(photos / ("long" * 30 + ".png"), png(40))
    gallery.add(photos)
    (photos / "00003.png").unlink()
    hits = gallery.search(text="red")
    write_sheet(hits, tmp_path / "sheet.png", "red, very much so " * 20)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 5 * 172 + 12
        colours = sheet.getcolors(1 << 20)
        assert colours is not None and len(colours) > 50
    write_sheet(hits, tmp_path / "sheet.html", "<red>")
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 7
    assert "&lt;red&gt;" in page
    write_sheet([], tmp_path / "empty.png", "nothing")
    with pytest.raises(GalleryError, match=r"a sheet is a .png or .html file"):
        write_sheet(hits, tmp_path / "sheet.gif", "")
    with pytest.raises(GalleryError, match="cannot be written"):
        write_sheet(hits, tmp_path / "nowhere" / "sheet.png", "")


def test_watching_follows_changes(gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.setattr("sketchseek.gallery.watch.QUIET_MS", 60)
    monkeypatch.setattr("sketchseek.gallery.watch.TICK_MS", 200)
    gallery = Gallery.open(photos / "gallery", GridModel())  # inside: its own changes must not wake it
    (path,) = fill(photos, 1)
    gallery.add(photos)
    stop = Event()
    reports = follow(gallery, [photos], stop, every=0.5)

    def change() -> None:
        put(photos.parent / "new.png", png(7)).rename(photos / "new.png")  # never seen half written
        path.unlink()

    changer = Thread(target=change)
    changer.start()
    added = removed = 0
    for report in reports:
        added, removed = added + report.added, removed + report.removed
        if (added, removed) == (1, 1):
            stop.set()
    changer.join()
    assert gallery.search(photo=png(7))[0].path == photos / "new.png"


def test_bytes_in_names_are_shown_on_one_line(gallery: Gallery, photos: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(photos) + b"/\xff\n.png")), b"broken")
    report = gallery.add(photos)
    from sketchseek.wording import shown

    assert shown(report.failed[0].path).endswith(r"/\xff\n.png")
