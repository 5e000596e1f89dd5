"""The processes that open pictures: same results as the pictures package, and one that hangs or dies is replaced."""

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.pictures import PictureError, RasterSketch, load_photo, load_sketch
from sketchseek.server.processes.decoders import Decoders
from sketchseek.server.protection.limits import Limits
from tests.gallery.photos import jpeg, put
from tests.server.uploads import SVG, picture


@pytest.fixture(scope="module")
def kept() -> Iterator[Decoders]:
    """Two processes for all tests that do not break them."""
    decoders = Decoders(2, Limits(pixels=4_000_000))
    yield decoders
    decoders.close()


def pids(decoders: Decoders) -> list[int]:
    return [child.pid for child in decoders._free.queue if child is not None]


def test_pictures_come_out_as_in_this_process(kept: Decoders, tmp_path: Path) -> None:
    data = jpeg(3, size=(900, 700), turned=True)
    assert np.array_equal(kept.photo(data, "x.jpg", 64), load_photo(data, target=64))
    path = put(tmp_path / "x.jpg", data)
    assert np.array_equal(kept.pixels(str(path), "x.jpg", 64), load_photo(path, target=64))
    for drawing in (picture(), SVG):
        mine, theirs = kept.sketch(drawing, "x"), load_sketch(drawing)
        assert isinstance(mine, RasterSketch)
        assert isinstance(theirs, RasterSketch)
        assert np.array_equal(mine.pixels, theirs.pixels)


def test_a_mistake_names_the_file_as_the_client_did_and_the_process_lives_on(kept: Decoders) -> None:
    kept.warm()
    before = pids(kept)
    with pytest.raises(PictureError, match=r"^holiday\.png: is damaged"):
        kept.photo(picture()[:100], "holiday.png", 64)
    with pytest.raises(PictureError, match=r"^[^\x1b]*: "):
        kept.photo(b"", "\x1b[31m\n.png", 64)
    with pytest.raises(PictureError, match="over the limit"):
        kept.photo(picture(size=(4000, 2000)), "large.png", 64)
    assert pids(kept) == before


def test_a_missing_file_is_reported_without_its_folder(kept: Decoders, tmp_path: Path) -> None:
    with pytest.raises(PictureError) as message:
        kept.jpeg(str(tmp_path / "gone.jpg"), "gone.jpg", 64)
    assert str(message.value) == "gone.jpg: there is no such file"


def test_one_that_hangs_is_killed_and_replaced() -> None:
    decoders = Decoders(1, Limits(decode_seconds=1))
    decoders.warm()
    (child,) = pids(decoders)
    os.kill(child, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(PictureError, match="takes too long"):
        decoders.photo(picture(), "x.png", 64)
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    decoders._limits = Limits()
    assert decoders.photo(picture(), "x.png", 64).shape == (40, 60, 3)
    decoders.close()


def test_one_that_hangs_before_a_large_upload_is_read_is_killed_as_well() -> None:
    decoders = Decoders(1, Limits(decode_seconds=1))
    decoders.warm()
    os.kill(pids(decoders)[0], signal.SIGSTOP)
    with pytest.raises(PictureError, match="takes too long"):
        decoders.photo(bytes(8_000_000), "x.png", 64)  # more than a pipe holds
    decoders.close()


def test_a_process_that_died_is_reported_and_replaced() -> None:
    decoders = Decoders(1, Limits())
    decoders.warm()
    os.kill(pids(decoders)[0], signal.SIGKILL)
    with pytest.raises(PictureError, match="takes too long or too much memory"):
        decoders.photo(picture(), "x.png", 64)
    assert decoders.photo(picture(), "x.png", 64).shape == (40, 60, 3)
    decoders.close()


def test_a_process_cannot_exceed_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.server.processes.decoders.MEMORY", 500 * 2**20)
    decoders = Decoders(1, Limits(pixels=500_000_000))
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    with pytest.raises(PictureError, match="memory"):
        decoders.photo(stream.getvalue(), "x.png", 20_000)
    assert decoders.photo(picture(), "x.png", 64).shape == (40, 60, 3)
    decoders.close()


def test_several_threads_get_their_own_answers(kept: Decoders) -> None:
    sizes = [(20 + number, 30) for number in range(24)]
    found: dict[int, tuple[int, ...]] = {}

    def ask(number: int) -> None:
        found[number] = kept.photo(picture(size=sizes[number]), "x.png", 64).shape

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: (height, width, 3) for number, (width, height) in enumerate(sizes)}
