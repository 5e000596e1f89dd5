"""What every gallery does, whatever it is kept in. Run against the folder and, with the mark ``milvus``, the server."""

import os
import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sketchseek.engine.models
from sketchseek.gallery import Gallery, GalleryError, Query
from sketchseek.gallery.errors import NoGalleryError
from sketchseek.pictures import load_photo
from tests.gallery.contract.conftest import Shop
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, flat, jpeg, png, put
from tests.gallery.test_ingest import BROKEN, counts

Open = Callable[..., Gallery]


def test_what_changed_is_what_an_index_costs(gallery: Gallery, photos: Path, model: GridModel) -> None:
    """Added, unchanged, moved, updated, removed, touched and copied files, each counted and each encoded once."""
    paths = [put(photos / f"{n}.png", png(n), mtime=1000) for n in range(8)]
    assert counts(gallery.add(photos)) == {"added": 8}
    assert counts(gallery.add(photos)) == {"unchanged": 8}
    (photos / "deep").mkdir()
    paths[0].rename(photos / "deep" / "elsewhere.png")
    put(paths[1], png(50), mtime=2000)
    paths[2].unlink()
    put(paths[3], png(3), mtime=2000)
    put(photos / "copy.png", png(4))
    put(photos / "new.png", png(60))
    assert counts(gallery.add(photos)) == {"added": 2, "moved": 1, "updated": 1, "removed": 1, "unchanged": 5}
    assert model.encoded == 10
    stats = gallery.stats()
    assert (stats.photos, stats.files, stats.duplicates, stats.failed) == (8, 9, 1, 0)
    assert [(one.name, one.vectors, one.current) for one in stats.models] == [("grid-plain", 8, True)]
    found = {hit.path: hit for hit in gallery.search(text="red", k=50)}
    assert set(found) == {*photos.rglob("*.png")} - {photos / "copy.png"}
    assert found[paths[4]].duplicates == (photos / "copy.png",)
    assert gallery.verify() == []


def test_a_photo_is_findable_when_index_returns(open_gallery: Open, photos: Path, model: GridModel) -> None:
    """Another reader, with the gallery open all the time, finds it; a removed photo is not found."""
    path = put(photos / "0.png", png(0))
    writer = open_gallery(model)
    writer.add(photos)
    reader = open_gallery(GridModel(), readonly=True)
    for seed in range(1, 8):
        put(path, png(seed), mtime=1000 + seed)
        writer.add(photos)
        (hit,) = reader.search(photo=png(seed))
        assert hit.score > 0.999
        writer.remove(path)
        assert reader.search(photo=png(seed)) == []
        writer.add(photos)


def test_names_shifted_by_one_are_not_encoded_again(gallery: Gallery, photos: Path, model: GridModel) -> None:
    paths = [put(photos / f"{n}.png", png(n), mtime=1000 + n) for n in range(6)]
    gallery.add(photos, batch=2)
    for n in reversed(range(6)):
        paths[n].rename(photos / f"{n + 1}.png")
    report = gallery.add(photos, batch=2)
    assert model.encoded == 6
    assert (report.added + report.moved, report.updated, report.removed) == (1, 5, 1)
    for n in range(6):
        assert gallery.search(photo=png(n), k=1)[0].path == photos / f"{n + 1}.png"


def test_a_copy_in_another_folder_is_not_encoded_again(gallery: Gallery, tmp_path: Path, model: GridModel) -> None:
    fill(tmp_path / "a", 3)
    fill(tmp_path / "b", 4)
    gallery.add(tmp_path / "a")
    assert counts(gallery.add(tmp_path / "b")) == {"added": 4}
    assert model.encoded == 4
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "a").mkdir()
    put(tmp_path / "a" / "left.png", png(99))
    assert counts(gallery.add()) == {"added": 1, "removed": 3, "unchanged": 4}
    assert gallery.search(photo=png(1), k=1)[0].path == tmp_path / "b" / "00001.png"
    assert sorted(gallery.stats().folders) == [tmp_path / "a", tmp_path / "b"]


def test_broken_files_are_named_and_tried_again(open_gallery: Open, photos: Path, model: GridModel) -> None:
    fill(photos, 3)
    for name, data in BROKEN.items():
        put(photos / name, data, mtime=1000)
    with open_gallery(model) as gallery:
        assert counts(gallery.add(photos)) == {"added": 3, "failed": len(BROKEN)}
        assert counts(gallery.add(photos)) == {"unchanged": 3, "failed": len(BROKEN)}
        assert [path.name for path, _ in gallery.failures()] == sorted(BROKEN)
        assert gallery.stats().failed == len(BROKEN)
        put(photos / "text.jpg", png(30), mtime=2000)
        assert counts(gallery.add(photos)) == {"updated": 1, "unchanged": 3, "failed": len(BROKEN) - 1}
        put(photos / "text.jpg", b"x" * len(png(30)), mtime=3000)
        assert counts(gallery.add(photos)) == {"unchanged": 3, "failed": len(BROKEN)}
        assert len(gallery.search(text="red")) == 3
        put(photos / "text.jpg", png(30), mtime=3000)  # same size, same time: only a retry sees it
        assert counts(gallery.add(photos)) == {"unchanged": 3, "failed": len(BROKEN)}
        assert counts(gallery.add(photos, retry=True))["updated"] == 1
        (photos / "empty.jpg").unlink()
        assert gallery.add(photos).removed == 1
        assert "empty.jpg" not in [path.name for path, _ in gallery.failures()]
        assert gallery.verify() == []


NAMES = ["наклейка 猫.png", "line\nend.png", "quote'\"\\.png", "-k.png", " .png", "100%_=41.png", "a_b%.png"]


def test_any_name_is_a_name(gallery: Gallery, photos: Path) -> None:
    paths = [put(photos / name / name, png(seed)) for seed, name in enumerate(NAMES)]
    odd = os.fsencode(photos) + b"/\xff\xfe.png"
    Path(os.fsdecode(odd)).write_bytes(png(40))
    assert counts(gallery.add(photos)) == {"added": len(NAMES) + 1}
    assert counts(gallery.add(photos)) == {"unchanged": len(NAMES) + 1}
    for seed, path in enumerate(paths):
        assert gallery.search(photo=png(seed), k=1)[0].path == path
        (hit,) = gallery.search(photo=png(3), under=path.parent)
        assert hit.path == path
        assert gallery.remove(path.parent) == 1
    assert os.fsencode(gallery.search(photo=png(40), k=1)[0].path) == odd


@pytest.fixture
def filled(gallery: Gallery, photos: Path) -> Gallery:
    """60 photos in folders and years, 7 of them copied, and 20 of one colour."""
    for seed in range(40):
        put(photos / f"f{seed % 4}" / f"{seed}.png", png(seed))
    for seed in range(20):
        taken = f"{2015 + seed % 5}:{1 + seed % 12:02}:{1 + seed:02} 10:20:30"
        put(photos / "dated" / f"{seed}.jpg", jpeg(seed, taken=taken))
    for seed in range(0, 20, 3):
        put(photos / "copies" / f"{seed}.png", png(seed))
    for number in range(20):
        put(photos / "red" / f"{number}.png", flat((220, 30, 30), note=str(number)))
    gallery.add(photos)
    return gallery


def oracle(photos: Path, query: Any, under: Path | None = None, years: range = range(10000)) -> list[Any]:
    """(score, id, path, duplicates) by brute force over the files."""
    from hashlib import blake2b

    from sketchseek.gallery.reading import facts

    model = GridModel()
    groups: dict[bytes, list[Path]] = {}
    for path in sorted(photos.rglob("*.*"), key=os.fsencode):
        groups.setdefault(path.read_bytes(), []).append(path)
    found = []
    for data, paths in groups.items():
        pixels = load_photo(data, target=model.photo_side)
        taken = facts(data, paths[0].name, pixels)[2]
        inside = [path for path in paths if under is None or path.is_relative_to(under)]
        if not inside or (len(years) < 10000 and (taken is None or int(taken[:4]) not in years)):
            continue
        vector = model.encode_photos([pixels])[0].astype(np.float16).astype(np.float64)
        score = min(1.0, float((vector * query.astype(np.float32)).sum()))
        found.append((-score, blake2b(data, digest_size=32).hexdigest()[:16], inside[0], set(paths) - {inside[0]}))
    return [(-score, *rest) for score, *rest in sorted(found, key=lambda one: one[:2])]


def seen(hits: Any) -> list[Any]:
    return [(hit.id, hit.path, set(hit.duplicates)) for hit in hits]


def test_a_search_is_a_sort(filled: Gallery, photos: Path) -> None:
    query = GridModel().encode_texts(["red"])[0]
    expected = oracle(photos, query)
    assert len(expected) == 80
    for k in (1, 7, 15, 25, 200):
        hits = filled.search(look="direct", text="red", k=k)
        assert seen(hits) == [one[1:] for one in expected[:k]]
        assert np.allclose([hit.score for hit in hits], [one[0] for one in expected[:k]], atol=1e-6)
    floor = filled.search(look="direct", text="red", k=200)[30].score
    assert all(hit.score >= floor for hit in filled.search(look="direct", text="red", k=200, min_score=floor))
    assert filled.search(look="direct", text="red", min_score=1.1) == []


def test_filters_do_not_cost_hits(filled: Gallery, photos: Path) -> None:
    query = GridModel().encode_texts(["blue"])[0]
    for under in (photos, photos / "f1", photos / "copies", photos / "dated", photos / "nowhere", photos / "f"):
        assert seen(filled.search(look="direct", text="blue", under=under, k=15)) == [
            one[1:] for one in oracle(photos, query, under)[:15]
        ]
    for taken, years in (
        ("2016", range(2016, 2017)),
        (("2016", "2018"), range(2016, 2019)),
        ((None, date(2016, 12, 31)), range(1, 2017)),
        (("2018", None), range(2018, 9999)),
    ):
        found = seen(filled.search(look="direct", text="blue", taken=taken, under=photos))
        assert found == [one[1:] for one in oracle(photos, query, None, years)]
        assert found


@pytest.mark.parametrize("look", ["picture", "both", "kind"])
def test_a_second_look_does_not_depend_on_k_or_the_page(filled: Gallery, look: Any) -> None:
    everything = filled.search(text="green", look=look, k=300)
    assert {hit.id for hit in everything} == {hit.id for hit in filled.search(text="green", look="direct", k=300)}
    for k in (1, 7, 40, 199, 200, 201, 230):
        assert seen(filled.search(text="green", look=look, k=k)) == seen(everything[:k])
    shown = {hit.id for hit in everything[:10]}
    again = filled.search(text="green", look=look, k=300, min_score=everything[20].score)
    assert [hit.id for hit in again] == [hit.id for hit in everything if hit.score >= everything[20].score]
    assert not shown & {hit.id for hit in filled.search(text="green", look=look, k=20, skip=shown)}
    with pytest.raises(GalleryError, match="look is 'twice'; choose from direct, picture, both, kind"):
        filled.search(text="green", look="twice")  # type: ignore[arg-type]


def test_composed_queries_and_more_like_this(filled: Gallery, photos: Path, model: GridModel) -> None:
    hits = filled.search(look="direct", text="green", photo=png(1), minus="red", weights={"text": 0.5}, k=10)
    text, minus = model.encode_texts(["green", "red"])
    photo = model.encode_photos([load_photo(png(1))])[0]
    query = 0.5 * text + photo - 0.5 * minus
    assert seen(hits) == [one[1:] for one in oracle(photos, query / np.linalg.norm(query))[:10]]
    assert all(hit.relevance is not None and 0 < hit.relevance < 1 for hit in hits)
    best = hits[0]
    similar = filled.similar(best.id, k=5)
    assert len(similar) == 5
    assert best.id not in [hit.id for hit in similar]
    assert filled.photo(best.id).path == best.path
    assert (best.width, best.height, best.taken) == (16, 16, None)
    liked = filled.search(Query(text="grey", like=best.id, unlike=[similar[0].id]), k=100)
    assert [hit.id for hit in liked].index(best.id) < 10
    (folded,) = filled.search(look="direct", text="red", under=photos / "red", fold=0.99, k=3)
    assert len(folded.duplicates) == 19


def test_removing_forgets_files_and_folders(gallery: Gallery, photos: Path) -> None:
    paths = fill(photos / "a", 3)
    fill(photos / "ab", 2, first=10)
    put(photos / "a" / "broken.png", b"x")
    gallery.add([photos / "a", photos / "ab"])
    assert gallery.remove(paths[0]) == 1
    assert gallery.remove([photos / "a"]) == 3
    assert gallery.failures() == []
    assert gallery.stats().folders == [photos / "ab"]
    assert {hit.path.parent for hit in gallery.search(text="red")} == {photos / "ab"}
    assert gallery.remove(photos / "never") == 0
    assert paths[0].exists()


def test_vectors_of_two_models_are_never_mixed(
    open_gallery: Open, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(photos, 3)
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    with open_gallery("first") as gallery:
        gallery.add(photos)
    with open_gallery(GridModel("second")) as gallery, pytest.raises(GalleryError, match="cannot be compared"):
        gallery.search(text="red")
    with open_gallery() as gallery:  # the gallery's own
        assert len(gallery.search(text="red")) == 3
        assert gallery.model.identity == GridModel("first").identity
    monkeypatch.setattr(sketchseek.engine.models, "load_search_model", lambda name: GridModel("retrained"))
    with open_gallery() as gallery, pytest.raises(GalleryError, match="no longer the one"):
        gallery.search(text="red")


def test_opening(shop: Shop, photos: Path, model: GridModel) -> None:
    for options in ({"readonly": True}, {"create": False}):
        with pytest.raises(NoGalleryError, match="there is no gallery"):
            shop.open(model, **options)
    fill(photos, 2)
    with shop.open(model) as gallery:
        assert gallery.search(text="red") == []
        assert gallery.verify() == []
        assert gallery.stats().photos == 0
        with pytest.raises(GalleryError, match="knows no folders"):
            gallery.add()
        gallery.add(photos)
        with pytest.raises(GalleryError, match="has no photo 'ffffffffffffffff'"):
            gallery.similar("ffffffffffffffff")
        for id in ("", "x", "12", "zz" * 8, "0" * 16, "../../etc/passwd"):
            with pytest.raises(GalleryError, match="has no photo"):
                gallery.photo(id)
        with pytest.raises(GalleryError, match="cannot be listed"):
            gallery.add(photos / "nowhere")
        with pytest.raises(GalleryError, match="k is 0"):
            gallery.search(text="red", k=0)
    with shop.open(model, readonly=True) as reader:
        for write in (lambda: reader.add(photos), lambda: reader.remove(photos), reader.rebuild):
            with pytest.raises(GalleryError, match="was opened for reading only"):
                write()
        assert len(reader.search(text="red")) == 2
    with shop.open(model) as gallery:
        assert gallery.rebuild() == []
        assert len(gallery.search(text="red")) == 2


def test_a_folder_that_is_gone_keeps_its_photos(gallery: Gallery, tmp_path: Path, photos: Path) -> None:
    fill(photos, 3)
    gallery.add(photos)
    photos.rename(tmp_path / "unplugged")
    with pytest.raises(GalleryError, match="its 3 photos are kept"):
        gallery.add(photos)
    assert len(gallery.search(text="red")) == 3


def test_whatever_happens_to_the_folder(gallery: Gallery, photos: Path, model: GridModel) -> None:
    """A long run of random changes; after each index what is found is what is there."""
    rng, clock = random.Random(7), 1000
    names = ["a.png", "b.png", "c.png", "sub/a.png", "sub/d.png", "sub/deep/e.png"]
    for _ in range(12):
        for _ in range(rng.randint(1, 4)):
            clock += 1
            name, other = rng.choice(names), rng.choice(names)
            path = photos / name
            match rng.choice(["write", "write", "break", "delete", "rename"]):
                case "write":
                    put(path, png(rng.randint(0, 4)), mtime=clock)
                case "break":
                    put(path, b"x" * rng.randint(1, 9), mtime=clock)
                case "delete":
                    path.unlink(missing_ok=True)
                case "rename" if path.exists():
                    (photos / other).parent.mkdir(parents=True, exist_ok=True)
                    path.rename(photos / other)
        report = gallery.add(photos, batch=rng.randint(1, 4))
        there = list(photos.rglob("*.png"))
        good = {path for path in there if len(path.read_bytes()) > 10}
        assert report.added + report.updated + report.moved + report.unchanged == len(good)
        assert {failure.path for failure in report.failed} == set(there) - good
        found = gallery.search(text="red", k=50)
        assert {path for hit in found for path in (hit.path, *hit.duplicates)} == good
        for hit in found:
            assert gallery.search(photo=hit.path, k=1)[0].id == hit.id
    assert gallery.verify() == []
