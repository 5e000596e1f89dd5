"""Collections and saved searches of a gallery, and copying photos out of it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.collections import MAX_QUERY, Collections, export
from sketchseek.gallery.embedded.writer import write_lock
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    fill(tmp_path / "photos", 5)
    gallery = Gallery.open(tmp_path / "gallery", GridModel())
    gallery.add(tmp_path / "photos")
    return gallery


def ids(gallery: Gallery) -> list[str]:
    return sorted(hit.id for hit in gallery.search(text="red", k=50))


def described(collections: Collections) -> list[tuple[str, int, int]]:
    return [(one.name, one.photos, one.missing) for one in collections.all()]


def test_photos_are_kept_in_their_order_and_once(gallery: Gallery) -> None:
    first, second, third, *_ = ids(gallery)
    held = gallery.collections
    assert described(held) == []
    assert held.add("birds ", [third, first, third]) == 2
    assert held.add("birds", [first, second]) == 1
    assert [hit.id for hit in held.photos("birds")] == [third, first, second]
    assert [hit.id for hit in held.photos("birds", offset=1, count=1)] == [first]
    assert held.photos("birds")[0] == gallery.photo(third)
    assert held.remove("birds", [first, "0" * 16, first]) == 1
    assert [hit.id for hit in held.photos("birds")] == [third, second]
    held.add("Ümläut 🦆", [first])
    assert described(held) == [("birds", 2, 0), ("Ümläut 🦆", 1, 0)]
    held.rename("birds", "ducks")
    assert held.get("ducks").photos == 2
    held.delete("ducks")
    assert described(held) == [("Ümläut 🦆", 1, 0)]
    assert gallery.verify() == []


def test_mistakes_are_one_sentence_and_change_nothing(gallery: Gallery) -> None:
    held = gallery.collections
    held.add("birds", ids(gallery)[:1])
    held.add("trees", [])
    for wrong, said in (
        (lambda: held.get("brids"), "there is no collection 'brids'; did you mean birds?"),
        (lambda: held.delete("x"), "there is no collection 'x'."),
        (lambda: held.rename("birds", "trees"), "there is a collection 'trees' already"),
        (lambda: held.add("birds", [ids(gallery)[1], "f" * 16]), "has no photo 'ffffffffffffffff'"),
        (lambda: held.add("birds", ["no id"]), "has no photo 'no id'"),
        (lambda: held.add(" ", []), "is not a name"),
        (lambda: held.add("a\nb", []), "is not a name"),
        (lambda: held.add("a" * 101, []), "is not a name"),
        (lambda: held.delete_search("x"), "there is no saved search 'x'"),
        (lambda: held.save_search("x", {"strokes": "a" * MAX_QUERY}), "over the limit of 4 MB"),
    ):
        with pytest.raises(GalleryError, match=said):
            wrong()
    assert described(held) == [("birds", 1, 0), ("trees", 0, 0)]


def test_photos_that_left_are_missing_and_come_back(gallery: Gallery, tmp_path: Path) -> None:
    held = gallery.collections
    held.add("all", ids(gallery))
    gallery.remove(tmp_path / "photos")
    assert described(held) == [("all", 0, 5)]
    assert held.photos("all") == []
    (tmp_path / "photos").rename(tmp_path / "moved")
    gallery.add(tmp_path / "moved")
    assert described(held) == [("all", 5, 0)]
    assert {hit.path.parent for hit in held.photos("all")} == {tmp_path / "moved"}


def test_searches_are_saved_and_replaced(gallery: Gallery) -> None:
    held = gallery.collections
    held.save_search("ducks", {"text": ["duck"], "strokes": [[[0, 1], [2, 3]]]})
    held.save_search("ants", {})
    held.save_search("ducks", {"text": ["Ente 🦆"]})
    assert [(one.name, one.query) for one in held.searches()] == [("ants", {}), ("ducks", {"text": ["Ente 🦆"]})]
    held.delete_search("ants")
    assert [one.name for one in held.searches()] == ["ducks"]


def test_they_change_while_another_process_indexes(gallery: Gallery) -> None:
    with write_lock(Path(gallery.path)):
        gallery.collections.add("birds", ids(gallery)[:2])
    assert described(gallery.collections) == [("birds", 2, 0)]


def test_a_gallery_opened_for_reading_refuses(gallery: Gallery) -> None:
    gallery.collections.add("birds", ids(gallery)[:2])
    with Gallery.open(gallery.path, readonly=True) as reader:
        assert described(reader.collections) == [("birds", 2, 0)]
        with pytest.raises(GalleryError, match="opened for reading only"):
            reader.collections.delete("birds")


def test_two_writers_lose_nothing(gallery: Gallery) -> None:
    known = ids(gallery)

    def work(number: int) -> None:
        with Gallery.open(gallery.path, GridModel()) as mine:
            for id in known:
                mine.collections.add(f"of {number}", [id])
                mine.collections.add("shared", [id])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert described(gallery.collections) == [("of 0", 5, 0), ("of 1", 5, 0), ("of 2", 5, 0), ("shared", 5, 0)]
    assert gallery.verify() == []


def test_a_rebuild_keeps_them(gallery: Gallery) -> None:
    gallery.collections.add("birds", ids(gallery)[:2])
    gallery.collections.save_search("ducks", {"text": ["duck"]})
    gallery.close()
    path = Path(gallery.path) / "gallery.sqlite"
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)  # the header
    path.write_bytes(data)
    with Gallery.open(gallery.path, GridModel()) as again:
        assert len(again.rebuild()) == 1
        assert described(again.collections) == [("birds", 2, 0)]
        assert [one.query for one in again.collections.searches()] == [{"text": ["duck"]}]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "delete"]), st.sampled_from("ab"), st.integers(0, 4))))
def test_they_are_ordered_sets(shared_gallery: Gallery, steps: list[tuple[str, str, int]]) -> None:
    """Against dictionaries, which keep the order too."""
    held, known = shared_gallery.collections, ids(shared_gallery)
    for one in held.all():
        held.delete(one.name)
    expected: dict[str, dict[str, None]] = {}
    for step, name, number in steps:
        id = known[number]
        if step == "add":
            assert held.add(name, [id]) == (id not in expected.setdefault(name, {}))
            expected[name].setdefault(id)
        elif name in expected and step == "remove":
            assert held.remove(name, [id]) == (id in expected[name])
            expected[name].pop(id, None)
        elif name in expected:
            held.delete(name)
            del expected[name]
    assert {one.name: [hit.id for hit in held.photos(one.name)] for one in held.all()} == {
        name: list(members) for name, members in expected.items()
    }


@pytest.fixture(scope="module")
def shared_gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    folder = tmp_path_factory.mktemp("shared")
    fill(folder / "photos", 5)
    gallery = Gallery.open(folder / "gallery", GridModel())
    gallery.add(folder / "photos")
    return gallery


@pytest.mark.parametrize("how", ["copy", "link"])
def test_export_never_overwrites_and_never_repeats(how: str, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c")]
    for number, place in enumerate(places):
        place.mkdir()
        (place / "photo.jpg").write_bytes(b"same" if number < 2 else b"other")
    photos = [place / "photo.jpg" for place in places]
    out = tmp_path / "new" / "out"
    for _ in range(2):
        made = export(photos, out, how).done  # type: ignore[arg-type]
        assert [path.read_bytes() for path in made] == [b"same", b"same", b"other"]
        names = ["photo.jpg", "photo-2.jpg"] + (["photo-3.jpg"] if how == "link" else [])
        assert sorted(path.name for path in out.iterdir()) == sorted(names)
        assert all(path.is_symlink() == (how == "link") for path in made)
    assert [photo.read_bytes() for photo in photos] == [b"same", b"same", b"other"]


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_photo_that_has_gone_is_a_sentence_and_the_others_are_exported(how: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"there")
    found = export([tmp_path / "no-photo.jpg", tmp_path / "photo.jpg"], tmp_path / "out", how)  # type: ignore[arg-type]
    assert [path.name for path in found.done] == ["photo.jpg"] == [path.name for path in (tmp_path / "out").iterdir()]
    assert len(found.failed) == 1 and "no-photo.jpg no longer exists" in found.failed[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_a_photo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    found = export([tmp_path / "photo.jpg"], tmp_path / "out", "copy")
    assert not found.done and "photo.jpg cannot be read" in found.failed[0]


@pytest.mark.skipif(sys.platform != "linux", reason="full disks are made with /dev/full only there")
def test_a_full_disk_leaves_no_half_photo(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(bytes(3 << 20))
    code = (
        "import resource, signal, sys; from pathlib import Path; from sketchseek.gallery.collections import export\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try: export([Path(sys.argv[1])], Path(sys.argv[2]), 'copy')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, photo, tmp_path / "out"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("GalleryError") and "cannot be written" in done.stdout
    assert not list((tmp_path / "out").iterdir())
