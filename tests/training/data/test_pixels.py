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
    found = prepared_pixels(files, "photo", record, workers=2, progress=counting)
    return found[range(len(found))], counting.done


def kept_files(cache: Path) -> list[Path]:
    return [file for file in cache.rglob("*") if file.is_file()]


def test_pixels_are_what_fit_gives(photos: list[Path], tmp_path: Path) -> None:
    found, _ = prepared(photos)
    assert np.array_equal(found, np.stack([fit(load_photo(file, target=12), RECORD) for file in photos]))
    sketches = sorted((tmp_path / "data").glob("sketch/*/*.png"))
    drawn = prepared_pixels(sketches, "sketch", RECORD, workers=2, progress=NoProgress())
    assert len(drawn) == len(sketches)
    expected = np.stack([fit(load_sketch(file), RECORD) for file in sketches])
    assert np.array_equal(drawn[np.arange(len(drawn))], expected)
    assert np.array_equal(drawn[np.int64(3)], expected[3])
    assert np.array_equal(drawn[[3, 0]], expected[[3, 0]])
    assert drawn[[]].shape == (0, 12, 12, 3)


def test_a_second_time_nothing_is_opened(photos: list[Path]) -> None:
    first, opened = prepared(photos)
    again, opened_again = prepared(photos, replace(RECORD, mean=(0.1, 0.2, 0.3)))  # applied later, on the device
    assert (opened, opened_again) == (len(photos), 0)
    assert np.array_equal(first, again)


def test_only_what_changed_is_prepared_again(photos: list[Path], cache: Path) -> None:
    prepared(photos)
    photos[3].write_bytes(photos[4].read_bytes())
    pixels, opened = prepared(photos)
    assert opened == 1
    assert np.array_equal(pixels[3], pixels[4])
    assert prepared(photos, replace(RECORD, fit="squash"))[1] == len(photos)
    assert prepared(photos[::-1])[1] == 0
    assert prepared(photos[2:5])[1] == 0
    assert len(kept_files(cache)) == 2 * len(photos) + 1


def test_a_picture_that_is_missing_or_cut_off_is_prepared_when_it_is_read(photos: list[Path], cache: Path) -> None:
    pixels = prepared_pixels(photos, "photo", RECORD, workers=2, progress=NoProgress())
    before = pixels[range(len(pixels))]
    gone, short = pixels.kept[1], pixels.kept[2]
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    assert np.array_equal(pixels[range(len(pixels))], before)
    assert gone.stat().st_size == short.stat().st_size == 12 * 12 * 3


def test_a_broken_picture_stops_with_its_name_and_leaves_no_half_file(photos: list[Path], cache: Path) -> None:
    photos[2].write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(PictureError, match=photos[2].name):
        prepared(photos)
    assert {file.stat().st_size for file in kept_files(cache)} == {12 * 12 * 3}
    photos[2].unlink()
    with pytest.raises(TrainingError, match=f"{photos[2].name} cannot be read"):
        prepared(photos)


def test_what_was_used_longest_ago_goes(photos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 12 * 12 * 3
    monkeypatch.setattr(pixels, "KEEP_BYTES", 3 * size)
    for age, file in enumerate(photos[:3]):
        prepared([file])
        newest = max(kept_files(cache), key=lambda one: one.stat().st_mtime_ns)
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
