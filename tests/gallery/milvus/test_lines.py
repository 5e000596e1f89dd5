"""Collections that were made before there were outlines have no field for them, and go on without."""

from pathlib import Path
from typing import Any

import pytest

from sketchseek.gallery import Gallery
from sketchseek.gallery.milvus import tables
from tests.gallery.contract.test_lines import kept
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill
from tests.gallery.test_ingest import counts

pytestmark = pytest.mark.milvus


def test_an_older_collection_goes_on_without_outlines(url: str, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(photos, 4)
    real = tables._text

    def without_lines(schema: Any, name: str, length: int, **more: Any) -> None:
        if name != "lines":
            real(schema, name, length, **more)

    monkeypatch.setattr(tables, "_text", without_lines)
    model = GridModel()
    with Gallery.open(url, model, roots={"photos": photos}) as gallery:
        assert counts(gallery.add(photos)) == {"added": 4}
        report = gallery.add(photos)
        assert (counts(report), report.completed, model.encoded) == ({"unchanged": 4}, 0, 4)
        assert len(gallery.search(text="red")) == 4
        assert set(kept(gallery).values()) == {None}
        assert gallery.verify() == []
