"""The processes that open pictures: same results as the pictures package, and one that hangs or dies is replaced."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.gallery.records import content_id
from sketchseek.pictures import PictureError, RasterSketch, load_photo, load_sketch
from sketchseek.server.errors import RequestError
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


def id_of(data: bytes) -> str:
    """As the gallery names this content."""
    return content_id(hashlib.blake2b(data, digest_size=32).digest())


def pids(decoders: Decoders) -> list[int]:
    return [child.pid for child in decoders._free.queue if child is not None]


def test_pictures_come_out_as_in_this_process(kept: Decoders, tmp_path: Path) -> None:
    data = jpeg(3, size=(900, 700), turned=True)
    assert np.array_equal(kept.photo(data, "x.jpg", 64), load_photo(data, target=64))
    path = put(tmp_path / "x.jpg", data)
    with kept.open(id_of(data), [path]) as photo:
        assert np.array_equal(photo.pixels(64), load_photo(path, target=64))
    for drawing in (picture(), SVG):
        mine, theirs = kept.sketch(drawing, "x"), load_sketch(drawing)
        assert isinstance(mine, RasterSketch)
        assert isinstance(theirs, RasterSketch)
        assert np.array_equal(mine.pixels, theirs.pixels)


def test_a_mistake_names_the_file_as_the_client_did_and_the_process_lives_on(kept: Decoders) -> None:
    kept.warm()
    before = pids(kept)
    with pytest.raises(PictureError, match=r"^holiday\.png: is cut short"):
        kept.photo(picture()[:100], "holiday.png", 64)
    with pytest.raises(PictureError, match=r"^[^\x1b]*: "):
        kept.photo(b"", "\x1b[31m\n.png", 64)
    with pytest.raises(PictureError, match="over the limit"):
        kept.photo(picture(size=(4000, 2000)), "large.png", 64)
    assert pids(kept) == before


def test_a_missing_or_changed_file_is_reported_without_its_folder_and_its_copy_is_opened(
    kept: Decoders, tmp_path: Path
) -> None:
    data = jpeg(1)
    changed, copy = put(tmp_path / "changed.jpg", jpeg(2)), put(tmp_path / "copy.jpg", data)
    with pytest.raises(RequestError, match=r"^gone\.jpg is missing or has changed") as refused:
        kept.open(id_of(data), [tmp_path / "gone.jpg", changed]).__enter__()
    assert refused.value.status == 410
    with kept.open(id_of(data), [tmp_path / "gone.jpg", changed, copy]) as photo:
        assert photo.data() == data


def test_a_file_that_cannot_be_read_now_is_not_called_missing(kept: Decoders, tmp_path: Path) -> None:
    loop = tmp_path / "x.jpg"
    loop.symlink_to(loop)  # any error but "no such file" and "permission denied"
    with pytest.raises(RequestError, match=r"^x\.jpg cannot be read \(.*is its drive connected") as refused:
        kept.open(id_of(b""), [loop]).__enter__()
    assert refused.value.status == 503


def test_a_file_of_half_a_gigabyte_and_more_is_not_read(kept: Decoders, tmp_path: Path) -> None:
    path = put(tmp_path / "x.jpg", b"")
    os.truncate(path, 2**40)
    with pytest.raises(RequestError, match="has changed"):
        kept.open(id_of(b""), [path]).__enter__()


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


def test_a_process_that_dies_at_work_is_reported_and_replaced() -> None:
    decoders = Decoders(1, Limits())
    decoders.warm()
    pid = pids(decoders)[0]
    os.kill(pid, signal.SIGSTOP)  # it is at work until it is killed
    threading.Timer(2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(PictureError, match="takes too long or too much memory"):
        decoders.photo(picture(), "x.png", 64)
    assert decoders.photo(picture(), "x.png", 64).shape == (40, 60, 3)
    decoders.close()


def test_a_process_cannot_exceed_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.server.processes.child.MEMORY", 500 * 2**20)
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


@pytest.mark.parametrize("size", [(330, 100_000), (100_000, 330), (1, 900_000)])
def test_a_strip_of_many_pixels_comes_back_small(size: tuple[int, int], tmp_path: Path) -> None:
    """Whatever a file of some kilobytes decodes to, the server itself gets a few megabytes."""
    decoders = Decoders(1, Limits())
    stream = io.BytesIO()
    strip = Image.new("RGB", size, "red")
    strip.paste("black", (0, 0, size[0] // 2 or 1, size[1] // 2 or 1))
    strip.save(stream, "PNG", compress_level=1)
    path = put(tmp_path / "x.png", stream.getvalue())
    with decoders.open(id_of(stream.getvalue()), [path]) as photo:
        arrays = [photo.pixels(224)]
    arrays.append(decoders.photo(stream.getvalue(), "x.png", 224))
    sketch = decoders.sketch(stream.getvalue(), "x.png")
    assert isinstance(sketch, RasterSketch)
    arrays.append(sketch.pixels)
    assert max(array.nbytes for array in arrays) < 16 * 2**20
    decoders.close()


def test_a_drive_that_does_not_answer_is_reported_as_such(tmp_path: Path) -> None:
    decoders = Decoders(1, Limits(read_seconds=1))
    decoders.warm()
    os.kill(pids(decoders)[0], signal.SIGSTOP)
    path = put(tmp_path / "x.jpg", jpeg(1))
    with pytest.raises(RequestError, match="not read within 1 seconds; is its drive connected") as refused:
        decoders.open(id_of(jpeg(1)), [path]).__enter__()
    assert refused.value.status == 503
    decoders.close()


def test_modules_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started in a folder of unknown files runs none of them."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('this file was run')")
    (tmp_path / "json.py").write_text("raise SystemExit('this file was run')")
    monkeypatch.chdir(tmp_path)
    decoders = Decoders(1, Limits())
    try:
        assert decoders.photo(picture("PNG"), "a.png", 16).shape[2] == 3
    finally:
        decoders.close()


@pytest.mark.parametrize("module", ["decoder_child", "index_child"])
def test_a_process_whose_server_has_ended_ends_without_a_word(module: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    arguments = {"decoder_child": ["0"], "index_child": [str(tmp_path / "none"), "", str(tmp_path)]}[module]
    command = [sys.executable, "-m", f"sketchseek.server.processes.{module}", *arguments]
    done = subprocess.run(command, stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""
