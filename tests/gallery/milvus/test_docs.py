"""docs/guide/scale.md is true: its numbers are those of the code."""

import re

from sketchseek.gallery.copying import SAMPLE
from sketchseek.gallery.milvus.address import DEFAULTS, KINDS, parse
from sketchseek.gallery.milvus.gallery import FOLLOW_S
from sketchseek.gallery.milvus.ray_ingest import CORES, TASK
from sketchseek.gallery.milvus.server import OLDEST, TLS, TOKEN
from sketchseek.gallery.read_ahead import MEMORY
from tests.gallery.milvus_server import ROOT

PAGE = " ".join((ROOT / "docs" / "guide" / "scale.md").read_text().split())


def test_the_index_table_names_every_kind_and_default() -> None:
    for kind, numbers in KINDS.items():
        (line,) = re.findall(rf"\| `{kind}`[^|]*\|([^|]*\|[^|]*)\|", PAGE)
        assert [(name, int(default)) for name, default in re.findall(r"`(\w+)` \((\d+)\)", line)] == [
            (name, DEFAULTS[name]) for name in numbers
        ]


def test_every_address_on_the_page_can_be_read() -> None:
    addresses = set(re.findall(r"milvus://[a-z][\w:/?=&]+", PAGE))
    assert len(addresses) >= 4
    for address in addresses:
        parse(address)


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    assert FOLLOW_S == 5
    assert "follows within five seconds" in PAGE
    assert SAMPLE == 1000
    assert "a thousand vectors compared" in PAGE
    assert f"tasks of {TASK} files" in PAGE
    assert CORES == 2
    assert "else a worker has two cores, or one if no machine has two" in PAGE
    assert f"at most {MEMORY // 2**30} GiB for each worker" in PAGE
    assert f"sketchseek needs {'.'.join(map(str, OLDEST))} or newer" in PAGE
    assert TOKEN in PAGE
    assert TLS in PAGE
