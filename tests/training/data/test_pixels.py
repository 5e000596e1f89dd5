import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketchseek.pictures import PictureError, Preprocessing, fit, load_photo, load_sketch
from sketchseek.training.data import pixels
from sketchseek.training.data.pixels import prepared_pixels
from sketchseek.training.errors import TrainingError
from sketchseek.training.progress import NoProgress
from tests.training.toys import write_data

RECORD = Preprocessing(size=12)


class Counting(NoProgress):
    """Remembers how many pictures were prepared."""

    def __init__(self) -> None:
        self.done = 0

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        def add(count: int) -> None:
            self.done += count

        yield add


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return sorted(write_data(tmp_path / "data", ("ant", "bee")).glob("photo/*/*.png"))


def prepared(files: list[Path], record: Preprocessing = RECORD) -> tuple[np.ndarray, int]:
    """The pixels, and how many pictures were opened for them."""
    counting = Counting()
    return prepared_pixels(files, "photo", record, workers=2, progress=counting), counting.done


def test_pixels_are_what_fit_gives(photos: list[Path], tmp_path: Path) -> None:
    found, _ = prepared(photos)
    assert np.array_equal(found, np.stack([fit(load_photo(file, target=12), RECORD) for file in photos]))
    sketches = sorted((tmp_path / "data").glob("sketch/*/*.png"))
    found = prepared_pixels(sketches, "sketch", RECORD, workers=2, progress=NoProgress())
    assert np.array_equal(found, np.stack([fit(load_sketch(file), RECORD) for file in sketches]))


def test_a_second_time_nothing_is_opened(photos: list[Path]) -> None:
    first, opened = prepared(photos)
    again, opened_again = prepared(photos, replace(RECORD, mean=(0.1, 0.2, 0.3)))  # applied later, on the device
    assert (opened, opened_again) == (len(photos), 0)
    assert np.array_equal(first, again)


def test_any_change_prepares_anew(photos: list[Path], cache: Path) -> None:
    prepared(photos)
    photos[3].write_bytes(photos[4].read_bytes())
    assert prepared(photos)[1] == len(photos)
    assert prepared(photos, replace(RECORD, fit="squash"))[1] == len(photos)
    assert prepared(photos[::-1])[1] == len(photos)
    assert len(list(cache.iterdir())) == 4


def test_a_broken_picture_stops_with_its_name_and_leaves_nothing(photos: list[Path], cache: Path) -> None:
    photos[2].write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(PictureError, match=photos[2].name):
        prepared(photos)
    assert list(cache.iterdir()) == []
    photos[2].unlink()
    with pytest.raises(TrainingError, match=f"{photos[2].name} cannot be read"):
        prepared(photos)


def test_what_was_used_longest_ago_goes(photos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 12 * 12 * 3
    monkeypatch.setattr(pixels, "KEEP_BYTES", 3 * (size + 128))  # with the header, room for three single photos
    for age, file in enumerate(photos[:3]):
        prepared([file])
        newest = max(cache.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        os.utime(newest, (1000 + age, 1000 + age))
    prepared([photos[0]])  # used just now
    assert prepared([photos[3]])[1] == 1
    assert [prepared([file])[1] for file in (photos[0], photos[2])] == [0, 0]
    assert prepared([photos[1]])[1] == 1


def test_a_full_disk_is_one_sentence(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "SPARE_BYTES", 1 << 60)
    with pytest.raises(TrainingError, match=r"prepared pictures need .* GB are free: .*SKETCHSEEK_CACHE"):
        prepared(photos)


def test_a_place_that_cannot_be_written_is_one_sentence(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SKETCHSEEK_CACHE", str(tmp_path / "file"))
    with pytest.raises(TrainingError, match=r"prepared pictures cannot be written to .*SKETCHSEEK_CACHE"):
        prepared(photos)
