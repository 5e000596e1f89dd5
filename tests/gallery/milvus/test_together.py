"""Many processes on one gallery: none gets an error, and no row is lost or doubled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.milvus_server import ROOT
from tests.gallery.photos import fill

pytestmark = pytest.mark.milvus
SECONDS = 60


def start(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.gallery.milvus.busy_child", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(600)
def test_two_indexers_and_four_searchers(url: str, photos: Path) -> None:
    """The indexers even make the gallery at the same moment."""
    fill(photos / "common", 30, first=5000)
    roles = ["index", "index", "search", "search", "search", "search"]
    processes = [start(role, url, photos, SECONDS, number + 1) for number, role in enumerate(roles)]
    said = []
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err[-3000:]
        said.append(json.loads(out))
    assert all(one["runs"] > 1 for one in said[:2])
    assert all(one["asked"] > 10 for one in said[2:])
    assert sum(one["found"] for one in said[2:]) > 0
    there = set(photos.rglob("*.png"))
    with Gallery.open(url, GridModel(), roots={"photos": photos}) as gallery:
        model = gallery.current_model()
        assert model is not None
        rows = [Path(os.fsdecode(entry.path)) for page in gallery.entries(model) for entry in page]
        assert sorted(rows) == sorted(there)
        assert gallery.verify() == []
        assert gallery.stats().files == len(there)
        report = gallery.add()
        assert (report.unchanged, report.added, report.removed) == (len(there), 0, 0)
        for path in sorted(there)[::7]:
            assert gallery.search(photo=path, k=1)[0].score > 0.999
