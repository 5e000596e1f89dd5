"""Whatever a folder holds, indexing ends, takes in every good photo and stays within its memory."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError
from sketchseek.engine.sessions import StoppedError
from sketchseek.gallery import Gallery
from sketchseek.gallery.read_ahead import batches_of_readings
from sketchseek.gallery.reading import memory_to_read, read_photo
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import counts
from tests.pictures import corpus
from tests.pictures.corpus import thin_png

CHILD = """
import re, sys
from pathlib import Path
from sketchseek.engine.models import load_search_model
from sketchseek.gallery import Gallery
import sketchseek.gallery.embedded.gallery
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
photos, gallery, memory = sys.argv[1:]
model = load_search_model("default")
import numpy as np
model.encode_photos([np.zeros((300, 300, 3), np.uint8)] * 32)
before = peak()
report = Gallery.open(gallery, model).add(photos, memory=int(memory))
print(report.added, len(report.failed), peak() - before)
"""


def test_photos_of_extreme_shapes_do_not_stop_the_rest(gallery: Gallery, photos: Path) -> None:
    fill(photos, 5)
    put(photos / "bomb.png", corpus.png(1, 199_999_999, b""))
    put(photos / "long.png", thin_png(1, 70_000_000, grey=True))
    put(photos / "thin.png", thin_png(1, 1_000_000))
    put(photos / "wide.png", thin_png(300_000, 330))
    report = gallery.add(photos)
    assert counts(report) == {"added": 7, "failed": 2}
    assert all("a side is over the limit of 1,000,000" in failure.reason for failure in report.failed)


@pytest.mark.parametrize("seconds", [-5_000_000_000, -(2**40), 9_300_000_000, 2**40])
def test_a_file_of_any_time_gets_in(gallery: Gallery, photos: Path, seconds: int) -> None:
    fill(photos, 2)
    os.utime(put(photos / "a.png", png(9)), (seconds, seconds))
    assert counts(gallery.add(photos)) == {"added": 3}
    assert counts(gallery.add(photos)) == {"unchanged": 3}


class Choosy(GridModel):
    """Raises for any batch with a photo that begins with a given pixel."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        vectors = super().encode_photos(photos)
        for photo, vector in zip(photos, vectors, strict=True):
            if photo[0, 0].tolist() == [1, 2, 3]:
                if self.error:
                    raise self.error
                vector[:] = np.nan
        return vectors


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("no\nsuch"), ValueError(), EngineError("not finite"), StoppedError("late"), None],
)
def test_a_photo_that_cannot_be_encoded_is_one_failure(
    tmp_path: Path, photos: Path, error: BaseException | None
) -> None:
    fill(photos, 9)
    put(photos / "00004b.png", corpus.saved(corpus.plain((1, 2, 3)), "PNG"))
    with Gallery.open(tmp_path / "g", Choosy(error)) as gallery:
        report = gallery.add(photos, batch=4)
        assert counts(report) == {"added": 9, "failed": 1}
        assert report.failed[0].path.name == "00004b.png"
        assert report.failed[0].reason.startswith("the model cannot encode it (")
        assert "\n" not in report.failed[0].reason
    with Gallery.open(tmp_path / "g", GridModel()) as gallery:  # the fault was the model's
        assert counts(gallery.add(photos)) == {"updated": 1, "unchanged": 9}


class Damaged(GridModel):
    """Cannot run."""

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        raise EngineError("a file of the model is damaged")


@pytest.mark.parametrize("count", [1, 9])
def test_a_model_that_is_damaged_stops_the_run(tmp_path: Path, photos: Path, count: int) -> None:
    fill(photos, count)
    with (
        Gallery.open(tmp_path / "g", Damaged()) as gallery,
        pytest.raises(EngineError, match="is damaged"),
    ):
        gallery.add(photos, batch=4)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_memory_of_long_thin_photos_is_bounded(tmp_path: Path, photos: Path) -> None:
    """64 photos of 330 x 60,000 that took 4.3 GB together; each alone takes about 180 MB while it is decoded."""
    for seed in range(64):
        put(photos / f"{seed}.png", thin_png(330, 60_000, seed))
    memory = 500_000_000
    done = subprocess.run(
        [sys.executable, "-c", CHILD, photos, tmp_path / "g", str(memory)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    added, failed, peak = map(int, done.stdout.split())
    assert (added, failed) == (64, 0)
    assert peak < 1.3 * memory


def test_a_photo_over_the_whole_budget_is_tried_again_with_more(gallery: Gallery, photos: Path) -> None:
    fill(photos, 3)
    put(photos / "large.png", thin_png(6_000, 6_000))
    report = gallery.add(photos, memory=60_000_000)
    assert counts(report) == {"added": 3, "failed": 1}
    assert re.fullmatch(
        r"takes 1\d\d MB of memory .+ allow more memory for indexing \(--memory\)", report.failed[0].reason
    )
    assert counts(gallery.add(photos)) == {"updated": 1, "unchanged": 3}


@pytest.mark.parametrize("share", [1.2, 3, 70])
def test_work_in_flight_counts_before_it_is_decoded(
    photos: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is reserved at any moment stays within the budget, and every photo gets its turn, in order."""
    paths = [os.fsencode(put(photos / f"{n:02}.png", thin_png(300 + n, 800, n))) for n in range(40)]
    needs = {path: memory_to_read(path, 16) for path in paths}
    memory, open_now, peak = int(max(needs.values()) * share), [0], [0]

    def reading(path: bytes, *rest: Any) -> Any:
        open_now[0] += needs[path]
        peak[0] = max(peak[0], open_now[0])
        try:
            return read_photo(path, *rest)
        finally:
            open_now[0] -= needs[path]

    monkeypatch.setattr("sketchseek.gallery.read_ahead.read_photo", reading)
    batches = batches_of_readings(paths, side=16, needs_pixels=lambda _: True, batch=8, threads=4, memory=memory)
    seen = []
    for batch in batches:
        assert 0 < len(batch) <= 8
        seen += [reading.path for reading in batch]
    assert seen == paths
    assert peak[0] <= memory
