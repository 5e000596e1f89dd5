"""New rows get an index, and it is searched as the address says: what a search misses is what that index misses."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.gallery import Gallery
from sketchseek.gallery.copying import copy
from sketchseek.gallery.embedded.writer import Writer
from sketchseek.gallery.milvus.writer import UNINDEXED_LIMIT

pytestmark = [pytest.mark.milvus, pytest.mark.timeout(600)]
COUNT, SIZE, K, ASKED = UNINDEXED_LIMIT + 2000, 64, 10, 30
READY_S = 300
ROOTS = {"photos": "/photos"}


def unit(seed: int, count: int) -> Any:
    """Without any order: the hardest for an index."""
    vectors = np.random.default_rng(seed).standard_normal((count, SIZE), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Recorded:
    """The words "7" are query 7."""

    name = identity = source = "recorded"
    size, photo_side = SIZE, 1
    queries = unit(2, ASKED)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        return self.queries[[int(text) for text in texts]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of vectors numbered by their contents."""
    place = tmp_path_factory.mktemp("recall") / "gallery"
    writer = Writer(place)
    with writer.batch():
        model = writer.add_model("recorded", "recorded", "recorded", SIZE)
        writer.use_model(model.row)
        writer.add_folder(b"/photos", 1)
        for number, vector in enumerate(unit(1, COUNT)):
            content = writer.add_content(number.to_bytes(8, "big") + bytes(24), 4000, 3000, None)
            writer.add_vector(model.row, content, vector)
            writer.set_file(b"/photos/%d.jpg" % number, 1, 1, content, None)
    writer.close()
    return place


def recall(url: str) -> float:
    scores = Recorded.queries @ unit(1, COUNT).astype(np.float16).astype(np.float32).T
    truth = np.argsort(-scores, axis=1)[:, :K]
    model: Any = Recorded()  # without pictures
    with Gallery.open(url, model, readonly=True, roots=ROOTS) as gallery:
        found = [
            {int(hit.id, 16) for hit in gallery.search(text=str(number), k=K, look="direct")} for number in range(ASKED)
        ]
    return sum(len(ids & set(best)) for ids, best in zip(found, truth.tolist(), strict=True)) / truth.size


@pytest.mark.parametrize(
    ("index", "wide", "narrow"),
    [
        ("index=ivf_flat&nlist=256", "nprobe=256", "nprobe=1"),  # with all lists looked into nothing is missed
        ("index=hnsw&m=4&ef_construction=16", "ef=6000", "ef=36"),
    ],
)
def test_new_rows_are_indexed_and_searched_as_the_address_says(
    url: str, folder: Path, index: str, wide: str, narrow: str
) -> None:
    with Gallery.open(folder) as source, Gallery.open(f"{url}?{index}", roots=ROOTS) as target:
        copy(source, target)
    deadline = time.monotonic() + READY_S
    while True:  # the server makes indexes in its own time; before, it looks at all rows or at some, whatever is asked
        best, worst = recall(f"{url}?{wide}"), recall(f"{url}?{narrow}")
        if best > 0.95 and worst < 0.8:
            break
        assert time.monotonic() < deadline, f"it stays at {best} and {worst}"
        time.sleep(1)
