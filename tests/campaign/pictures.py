"""Hostile pictures of every format: indexing ends, each is a photo or a failure with a sentence, memory is bounded.

A case is a folder of 25 pictures that is indexed, opened as drawings, and in part sent to the decoder of the server.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sketchseek.gallery import Gallery
from sketchseek.pictures import PictureError, load_sketch
from sketchseek.pictures.formats import format_of
from sketchseek.server.processes.decoders import MAX_PIXEL_BYTES, Decoders
from sketchseek.server.protection.limits import Limits
from tests.campaign.campaigns import Campaign, Case, chance, measure, memory_of
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import png, put
from tests.pictures.mutations import good_pictures, hostile_picture
from tests.server.processes.test_decoders import pids

CAMPAIGN = Campaign("made pictures of every format, indexed and uploaded", "pictures", full=10_000, quick=500)
PICTURES = 25
GOOD = 3  # photos among them that must get in
UPLOADED = 5
BUDGET = 300  # MB for indexing


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    good = good_pictures()
    decoders = Decoders(1, Limits())
    decoders.warm()

    def case(number: int) -> int:
        rng = chance("pictures", seed, number)
        folder = place / "photos"
        shutil.rmtree(folder, ignore_errors=True)
        files = [hostile_picture(good, rng) for _ in range(PICTURES)]
        paths = [put(folder / f"{at:03}-{name}", data) for at, (name, data) in enumerate(files)]
        whole = [put(folder / f"good-{at}.png", png(at)) for at in range(GOOD)]
        _index(place / "gallery", folder, whole)
        for path in paths:
            with suppress(PictureError):  # anything else is a failure of the case
                load_sketch(path)
        for name, data in files[:UPLOADED]:
            _upload(decoders, name, data)
        measure("peak memory of indexing and opening, MB", memory_of(), 3 * BUDGET)
        for pid in pids(decoders):
            measure("peak memory of a decoder of the server, MB", memory_of(pid), 2200)
        return PICTURES

    yield case
    decoders.close()


def _index(place: Path, folder: Path, whole: list[Path]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    with Gallery.open(place, GridModel()) as gallery:
        report = gallery.add(folder, memory=BUDGET * 10**6)
        failed = {failure.path for failure in report.failed}
        for failure in report.failed:
            assert failure.reason.isprintable(), failure
            assert "Traceback" not in failure.reason
            assert not failure.reason.startswith("the model"), failure
        assert not failed & set(whole)
        found = [path for hit in gallery.search(text="red", k=200) for path in (hit.path, *hit.duplicates)]
        assert len(found) == report.added
        assert gallery.verify() == []


def _upload(decoders: Decoders, name: str, data: bytes) -> None:
    format = format_of(data, name)
    with suppress(PictureError):
        if format is None or not format.drawing:
            assert decoders.photo(data, name, 224).nbytes <= MAX_PIXEL_BYTES
        decoders.sketch(data, name)
