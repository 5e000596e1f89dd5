"""Files of strangers: plain files of a bounded size are read, anything else ends at once and is left alone."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sketchseek.gallery.reading import read_photo
from sketchseek.pictures import PictureError, load_photo
from sketchseek.untrusted import UnsafeFileError, open_plain, read_bounded
from tests.gallery.photos import png

SECONDS = 60.0


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": a_socket,
}


@pytest.fixture(params=KINDS)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """(what it is, its path)"""
    path = tmp_path / "x.png"
    KINDS[request.param](path)
    return request.param, path


def in_time(call: Callable[[], object]) -> object:
    """What the call returns or raises; a call that blocks fails the test, and does not stop it."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert results, "it blocks"
    return results[0]


def test_only_plain_files_are_opened(special: tuple[str, Path]) -> None:
    kind, path = special
    for call in (lambda: open_plain(path), lambda: open_plain(os.fsencode(path)), lambda: read_bounded(path)):
        error = in_time(call)
        assert isinstance(error, UnsafeFileError)
        assert error.strerror == f"it is {kind}, not a plain file"


def test_each_reader_of_pictures_refuses_them(special: tuple[str, Path]) -> None:
    kind, path = special
    refused = in_time(lambda: load_photo(path))
    assert isinstance(refused, PictureError)
    assert refused.reason == f"is {kind}, not a plain file"
    reading = in_time(lambda: read_photo(os.fsencode(path), 16, lambda _: True))
    assert getattr(reading, "failure", None) == f"cannot be read: it is {kind}, not a plain file"
    assert getattr(reading, "temporary", None)


def test_a_file_that_is_swapped_after_the_first_look_is_refused(
    special: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open descriptor is looked at, not only the path."""
    kind, path = special
    plain = tmp_path / "plain"
    plain.write_bytes(png(1))
    looked_at = os.stat(plain)  # noqa: PTH116
    with monkeypatch.context() as swapped:
        swapped.setattr(os, "stat", lambda _: looked_at)
        error = in_time(lambda: open_plain(path))
    assert isinstance(error, OSError)
    assert isinstance(error, UnsafeFileError) or kind in ("a folder", "a socket")  # the system refuses these itself


def test_a_file_has_a_limit_and_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(1000))
    assert read_bounded(path, 1000) == bytes(1000)
    with pytest.raises(UnsafeFileError, match="larger than 0 MB"):
        read_bounded(path, 999)
    os.truncate(path, 2**40)
    with pytest.raises(UnsafeFileError, match="larger than 16 MB"):
        read_bounded(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a plain file that is longer than it says")
def test_a_file_that_grows_is_not_read_on() -> None:
    with pytest.raises(UnsafeFileError, match="it grew while it was read"):
        read_bounded("/proc/self/status")  # it has 0 bytes, says the system
