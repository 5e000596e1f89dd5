"""What only a gallery on a server has: roots, names that lead elsewhere, parameters of its index, damage."""

import json
from pathlib import Path
from typing import Any

import pytest

import sketchseek.engine.models
import sketchseek.gallery.milvus.gallery as milvus_gallery
from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.copying import copy
from sketchseek.gallery.milvus.tables import create
from sketchseek.gallery.milvus.writer import MilvusWriter
from tests.gallery.contract.conftest import drop
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put

pytestmark = pytest.mark.milvus


def client_of(url: str) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient("http://" + url.removeprefix("milvus://").partition("/")[0])


def damage(url: str, *changes: dict[str, Any]) -> None:
    """Write the row of ``00001.png`` once more for each of the changes, with it."""
    client, name = client_of(url), url.rpartition("/")[2]
    (row,) = client.query(name, filter='path == "00001.png"', output_fields=["*"], limit=1)
    files = client.describe_collection(name)["collection_name"]
    client.upsert(files, [{**row, **change} for change in changes])
    client.close()


def test_another_machine_maps_the_roots_to_its_own_folders(url: str, photos: Path, tmp_path: Path) -> None:
    fill(photos / "deep", 5)
    with Gallery.open(url, GridModel()) as gallery, pytest.raises(GalleryError, match="name its root with --root"):
        gallery.add(photos)
    with Gallery.open(url, GridModel(), roots={"pictures": photos}) as gallery:
        gallery.add(photos)
    there = photos.rename(tmp_path / "mounted elsewhere")
    with Gallery.open(url, GridModel(), readonly=True, roots={"pictures": there}) as gallery:
        hit = gallery.search(photo=png(3), k=1, under=there / "deep")[0]
        assert hit.path == there / "deep" / "00003.png"
        assert hit.thumbnail().size == (16, 16)
    with Gallery.open(url, GridModel(), roots={"pictures": there}) as gallery:
        assert gallery.add().unchanged == 5
    with Gallery.open(url, GridModel(), readonly=True, roots={}) as gallery:
        hit = gallery.search(photo=png(3), k=1, under="pictures/deep")[0]
        assert hit.path == Path("pictures/deep/00003.png")
        assert gallery.stats().folders == [Path("pictures")]
        assert gallery.search(photo=png(3), under="pictures/shallow") == []
        with pytest.raises(SketchseekError, match="no such file"):
            hit.thumbnail()


def test_no_path_of_the_indexing_machine_is_kept(url: str, photos: Path) -> None:
    fill(photos, 2)
    put(photos / "broken.png", b"x")
    with Gallery.open(url, GridModel(), roots={"pictures": photos}) as gallery:
        gallery.add(photos)
    client = client_of(url)
    name = client.describe_collection(url.rpartition("/")[2])["collection_name"]
    for collection in (name, name + "__notes"):
        rows = client.query(collection, filter='key != ""', output_fields=["*"], limit=100, consistency_level="Strong")
        assert len(rows) >= 2
        assert str(photos) not in str(list(rows))
    client.close()


def test_a_name_is_switched_while_searches_go_on(
    url: str, photos: Path, monkeypatch: pytest.MonkeyPatch, run_sketchseek: Any
) -> None:
    monkeypatch.setattr(milvus_gallery, "FOLLOW_S", 0.0)
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    fill(photos, 4)
    roots = {"photos": photos}
    try:
        with Gallery.open(url, "old", roots=roots) as gallery:
            gallery.add(photos)
        with (
            Gallery.open(url, roots=roots) as follower,
            Gallery.open(f"{url}_next", "new", roots=roots) as upgraded,
            Gallery.open(url, GridModel("old"), readonly=True, roots=roots) as insisting,
        ):
            assert follower.model.name == "grid-old"
            before = follower.search(text="red")
            upgraded.add(photos)
            assert run_sketchseek("gallery", "switch", url, f"{url}_next").startswith(f"{url} now leads to")
            after = follower.search(text="red")
            assert follower.model.name == "grid-new"
            assert [hit.id for hit in after] == [hit.id for hit in before]  # the flavours only shuffle the numbers
            with pytest.raises(GalleryError, match="cannot be compared"):
                insisting.search(text="red")
            assert follower.add().unchanged == 4
        with Gallery.open(url, roots=roots) as gallery, pytest.raises(GalleryError, match="on two servers"):
            gallery.switch("milvus://elsewhere/x")
        with Gallery.open(url, roots=roots) as gallery, pytest.raises(GalleryError, match="to switch to"):
            gallery.switch(f"{url}_never")
    finally:
        client = client_of(url)
        client.drop_alias(url.rpartition("/")[2])
        client.drop_alias(url.rpartition("/")[2] + "_next")
        client.close()
        for name in (url, f"{url}_next"):
            drop(name)


def test_a_name_that_was_switched_can_be_switched_back(
    url: str, photos: Path, monkeypatch: pytest.MonkeyPatch, run_sketchseek: Any
) -> None:
    """As docs/guide/scale.md says: a name for the old vectors is made first."""
    monkeypatch.setattr(
        sketchseek.engine.models, "load_search_model", lambda name: GridModel(name.removeprefix("grid-"))
    )
    fill(photos, 3)
    roots = {"photos": photos}

    def model() -> str:
        with Gallery.open(url, readonly=True, roots=roots) as gallery:
            assert len(gallery.search(text="red")) == 3
            return gallery.model.name

    try:
        for name, flavour in ((url, "old"), (f"{url}_2", "new")):
            with Gallery.open(name, flavour, roots=roots) as gallery:
                gallery.add(photos)
        run_sketchseek("gallery", "switch", f"{url}_old", url)
        run_sketchseek("gallery", "switch", url, f"{url}_2")
        assert model() == "grid-new"
        run_sketchseek("gallery", "switch", url, f"{url}_old")
        assert model() == "grid-old"
    finally:
        drop(f"{url}_2")


@pytest.mark.parametrize(
    "options", ["index=ivf_flat&nlist=16&nprobe=16", "index=ivf_sq8&nlist=8&nprobe=8&storage=object", "index=flat"]
)
def test_the_index_is_what_the_address_says(url: str, photos: Path, options: str) -> None:
    fill(photos, 30)
    roots = {"photos": photos}
    with Gallery.open(f"{url}?{options}", GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        expected = gallery.search(text="red", k=50)
        assert len(expected) == 30
    with Gallery.open(f"{url}?index=hnsw", GridModel(), roots=roots) as gallery:
        with pytest.raises(GalleryError, match="was not made with index=hnsw"):
            gallery.search(text="red")
        gallery.rebuild()
        assert gallery.search(text="red", k=50) == expected
    with Gallery.open(f"{url}?consistency=strong", GridModel(), roots=roots) as gallery:
        assert gallery.search(text="red", k=50) == expected
    with Gallery.open(f"{url}?index=hnsw&m=16&ef=40", GridModel(), roots=roots) as gallery:
        assert gallery.search(text="red", k=50) == expected
        with pytest.raises(GalleryError, match="returns at most 8,192 hits"):
            gallery.search(text="red", k=9000)


def test_no_index_that_loses_vectors(url: str, photos: Path) -> None:
    fill(photos, 3)
    roots = {"photos": photos}
    losing = f"{url}?index=ivf_sq8"
    with (
        Gallery.open(losing, GridModel(), roots=roots) as gallery,
        pytest.raises(GalleryError, match=r"Milvus v?2\.3\.\S+ loses the vectors .* add &storage=object"),
    ):
        gallery.add(photos)
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        expected = gallery.search(text="red")
    with Gallery.open(losing, GridModel(), roots=roots) as gallery, pytest.raises(GalleryError, match="loses"):
        gallery.rebuild()
    with Gallery.open(url, GridModel(), roots=roots) as gallery:  # and nothing was touched
        assert gallery.search(text="red") == expected


def test_a_gallery_that_would_lose_vectors_is_not_searched(url: str, photos: Path) -> None:
    """The address says that the server has an object store, when the gallery is made and when it is opened."""
    fill(photos, 3)
    roots = {"photos": photos}
    with Gallery.open(f"{url}_sq8?index=ivf_sq8&storage=object", GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        expected = gallery.search(text="red")
    try:
        with pytest.raises(GalleryError, match=r"loses the vectors .* gallery rebuild"):
            Gallery.open(f"{url}_sq8", GridModel(), roots=roots)
        with Gallery.open(url, GridModel(), roots=roots) as other, pytest.raises(GalleryError, match="loses"):
            other.switch(f"{url}_sq8")
        with Gallery.open(f"{url}_sq8?storage=object", GridModel(), roots=roots) as gallery:
            assert gallery.search(text="red") == expected
        with Gallery.open(f"{url}_sq8?index=hnsw", GridModel(), roots=roots) as gallery:
            gallery.rebuild()
        with Gallery.open(f"{url}_sq8", GridModel(), roots=roots) as gallery:
            assert gallery.search(text="red") == expected
    finally:
        drop(f"{url}_sq8")


def test_damaged_rows_are_found_and_dropped(url: str, photos: Path) -> None:
    fill(photos, 6)
    roots = {"photos": photos}
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        damage(url, {"vector": [0.0] * 65}, {"key": "f" * 32}, {"key": "e" * 32, "path": "../../etc/passwd"})
        assert [problem.what[:20] for problem in gallery.verify()] == ["3 rows are damaged: "]
        assert "passwd" not in str(gallery.search(text="red", k=50))
        assert gallery.rebuild()[0].what.startswith("3 damaged rows were dropped")
        assert gallery.verify() == []
        assert gallery.add().added == 1
        assert len(gallery.search(text="red")) == 6


def test_a_rebuild_that_was_stopped_can_be_finished(url: str, photos: Path) -> None:
    """It leaves rows in no memory, and perhaps without an index."""
    fill(photos, 6)
    roots = {"photos": photos}
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        expected = gallery.search(text="red")
    client = client_of(url)
    files = client.describe_collection(url.rpartition("/")[2])["collection_name"]
    client.release_collection(files)
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        with pytest.raises(GalleryError, match=r"not loaded into the memory .* gallery rebuild"):
            gallery.search(text="red")
        assert gallery.rebuild() == []
        assert gallery.search(text="red") == expected
    client.release_collection(files)
    for index in client.list_indexes(files):
        client.drop_index(files, index)
    client.close()
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        assert gallery.rebuild() == []
        assert gallery.search(text="red") == expected


def test_a_refused_rebuild_drops_nothing(url: str, photos: Path) -> None:
    fill(photos, 2)
    roots = {"photos": photos}
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        damage(url, {"vector": [0.0] * 65})
        with (
            Gallery.open(f"{url}?index=ivf_sq8", GridModel(), roots=roots) as losing,
            pytest.raises(GalleryError, match="loses"),
        ):
            losing.rebuild()
        assert [problem.what[:18] for problem in gallery.verify()] == ["1 rows are damaged"]


def test_a_rebuild_keeps_what_the_address_does_not_name(url: str, photos: Path) -> None:
    fill(photos, 3)
    roots = {"photos": photos}
    client, name = client_of(url), url.rpartition("/")[2]

    def index() -> dict[str, str]:
        made = client.describe_index(client.describe_collection(name)["collection_name"], "vector")
        return {key: made[key] for key in ("index_type", "M", "efConstruction", "nlist") if key in made}

    with Gallery.open(f"{url}?index=hnsw&m=24", GridModel(), roots=roots) as gallery:
        gallery.add(photos)
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.rebuild()
    assert index() == {"index_type": "HNSW", "M": "24", "efConstruction": "200"}
    with Gallery.open(f"{url}?ef_construction=100", GridModel(), roots=roots) as gallery:
        gallery.rebuild()
    assert index() == {"index_type": "HNSW", "M": "24", "efConstruction": "100"}
    with Gallery.open(f"{url}?index=ivf_flat&nlist=16", GridModel(), roots=roots) as gallery:
        gallery.rebuild()
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.rebuild()
        assert len(gallery.search(text="red")) == 3
    assert index() == {"index_type": "IVF_FLAT", "nlist": "16"}
    client.close()


def test_numbers_of_another_index_make_no_gallery(url: str, photos: Path) -> None:
    fill(photos, 1)
    roots = {"photos": photos}
    with (
        Gallery.open(f"{url}?nlist=64", GridModel(), roots=roots) as gallery,
        pytest.raises(GalleryError, match=r"an index hnsw has no nlist; .* as index=KIND"),
    ):
        gallery.add(photos)
    with pytest.raises(GalleryError, match="there is no gallery"):
        Gallery.open(url, GridModel(), readonly=True)


def test_a_file_that_is_there_did_not_fail(
    url: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between a file's row and its note leaves both."""
    fill(photos, 3)
    put(photos / "fixed.png", b"x", mtime=5)
    roots = {"photos": photos}
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
        put(photos / "fixed.png", png(9), mtime=6)
        with monkeypatch.context() as patch:
            patch.setattr(MilvusWriter, "_delete", lambda *_: None)
            gallery.add(photos)
        assert [problem.what[:20] for problem in gallery.verify()] == ["1 indexed files are "]
        assert (gallery.failures(), gallery.stats().failed, gallery.stats().files) == ([], 0, 4)
        with Gallery.open(tmp_path / "copy", GridModel()) as there:
            assert copy(gallery, there).files == 4
            assert len(there.search(text="red")) == 4
            assert there.failures() == []
        report = gallery.add(photos)
        assert (report.unchanged, report.failed) == (4, [])
        assert gallery.verify() == []


def test_a_collection_of_somebody_else_is_left_alone(url: str) -> None:
    client = client_of(url)
    name = url.rpartition("/")[2]
    try:
        client.create_collection(f"{name}__other", dimension=8, consistency_level="Bounded")
        client.create_alias(f"{name}__other", name)
        with pytest.raises(GalleryError, match="was not made by sketchseek"):
            Gallery.open(url, GridModel())
    finally:
        client.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sketchseek": 99}, "format 99, made by a newer sketchseek"),
        ({"model": {"identity": "grid/1/plain", "name": "n", "source": "s", "size": 9}}, "vectors of another size"),
    ],
)
def test_a_gallery_of_another_kind_is_refused(
    url: str, change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = json.dumps
    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.gallery.milvus.tables.json.dumps", lambda record: real({**record, **change}))
        with Gallery.open(url, GridModel()) as gallery, pytest.raises(GalleryError, match=message):
            create(gallery._connected(), gallery.address, "grid/1/plain", "n", "s", 65)  # type: ignore[attr-defined]
    with pytest.raises(GalleryError, match=message):
        Gallery.open(url, GridModel())


def test_a_model_with_vectors_of_another_size_is_refused(url: str, photos: Path) -> None:
    fill(photos, 1)
    roots = {"photos": photos}
    with Gallery.open(url, GridModel(), roots=roots) as gallery:
        gallery.add(photos)
    other = GridModel()
    other.size = 7
    with Gallery.open(url, other, roots=roots) as gallery, pytest.raises(GalleryError, match="vectors of 7 numbers"):
        gallery.add(photos)
