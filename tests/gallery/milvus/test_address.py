"""What an address of a gallery says, and what it may not."""

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.milvus.address import parse
from sketchseek.gallery.stores import is_address


def test_the_parts_of_an_address() -> None:
    address = parse("milvus://example.org:1234/photos?index=hnsw&m=32&ef_construction=100&ef=50&consistency=strong")
    assert (str(address), address.consistency) == ("milvus://example.org:1234/photos", "Strong")
    assert address.index_parameters() == {
        "index_type": "HNSW",
        "metric_type": "IP",
        "params": {"M": 32, "efConstruction": 100},
    }
    assert address.search_parameters("hnsw", 20)["params"] == {"ef": 50}
    assert address.search_parameters("hnsw", 200)["params"] == {"ef": 200}
    assert parse("milvus://[::1]/a").host == "[::1]"
    assert parse("milvus://h/a").port == 19530
    assert parse("milvus://h/a?index=ivf_sq8&nlist=64").index_parameters()["params"] == {"nlist": 64}
    assert parse("milvus://h/a?storage=object").object_storage
    assert not parse("milvus://h/a").object_storage
    assert is_address("milvus://h/a")
    assert not is_address("milvus")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("milvus://h", "does not name a gallery"),
        ("milvus:///a", "does not name a gallery"),
        ("milvus://h/a-b", "letters, digits and underscores"),
        ("milvus://h/a/b", "does not name a gallery"),
        ("milvus://h:port/a", "cannot be read"),
        ("milvus://h/a?index=annoy", "unknown index 'annoy'; choose from hnsw"),
        ("milvus://h/a?ef=0", "ef=0 .* whole number from 1"),
        ("milvus://h/a?ef=x", "whole number"),
        ("milvus://h/a?speed=9", "unknown option 'speed'"),
        ("milvus://h/a?index=hnsw&nlist=9", "hnsw has no nlist"),
        ("milvus://h/a?consistency=none", "unknown consistency 'none'"),
        ("milvus://h/a?storage=disk", "storage=object, or omit it"),
    ],
)
def test_an_invalid_address_is_one_sentence(text: str, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        parse(text)


@pytest.mark.parametrize("secret", ["root:s3cret", "s3cret/with", "root:s3cret#4", "root:s3cret?", "[s3cret"])
def test_a_password_in_an_address_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(GalleryError, match="SKETCHSEEK_MILVUS_TOKEN") as refused:
        Gallery.open(f"milvus://{secret}@h:19530/a")
    assert "s3cret" not in str(refused.value)


def test_numbers_need_an_index_that_has_them() -> None:
    with pytest.raises(GalleryError, match="an index hnsw has no nlist"):
        parse("milvus://h/a?nlist=64").index_parameters()
    assert parse("milvus://h/a?nprobe=64").index_parameters()["index_type"] == "HNSW"


def test_what_an_address_does_not_say_stays_as_it_is() -> None:
    made = {"index_type": "IVF_FLAT", "nlist": "64"}
    assert parse("milvus://h/a").with_index(made).index_parameters()["params"] == {"nlist": 64}
    assert parse("milvus://h/a?nlist=9").with_index(made).index_parameters()["params"] == {"nlist": 9}
    assert parse("milvus://h/a?index=hnsw").with_index(made).index_parameters()["index_type"] == "HNSW"
    assert parse("milvus://h/a").with_index({}).index_parameters()["index_type"] == "HNSW"
    with pytest.raises(GalleryError, match="an index ivf_flat has no m"):
        parse("milvus://h/a?m=32").with_index(made).index_parameters()


def test_another_index_than_the_one_that_is_there_is_said() -> None:
    made = {"index_type": "HNSW", "M": "16", "efConstruction": "200"}
    parse("milvus://h/a?m=16&ef=9").check_index(made)
    with pytest.raises(GalleryError, match="not made with m=32; omit that, or build the index again"):
        parse("milvus://h/a?m=32").check_index(made)
    with pytest.raises(GalleryError, match="not made with index=flat"):
        parse("milvus://h/a?index=flat").check_index(made)
