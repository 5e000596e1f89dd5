import io
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sketchseek.pictures import PictureError, load_photo
from sketchseek.pictures.raw import embedded_jpeg
from tests.pictures.corpus import saved, scene
from tests.pictures.raw import dng, number, raf, tiff
from tests.pictures.test_heif import CRASH, turned

WIDE, HIGH = 320, 240
PREVIEW = saved(Image.fromarray(scene(WIDE, HIGH)), "JPEG", quality=95)
SMALL = saved(Image.fromarray(scene()), "JPEG", quality=95)  # a thumbnail, which only LibRaw is asked for


@pytest.fixture
def no_libraw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.pictures.raw.find_spec", lambda _: None)


def camera_file(*previews: bytes, order: str = "<", turn: int = 1) -> bytes:
    """A TIFF with a preview in each directory, named in the two ways that cameras use in turn."""
    at, directories = 4096, list[list[tuple[int, int, int, bytes]]]()
    for index, preview in enumerate(previews):
        first, second = ((513, 514), (273, 279))[index % 2]
        tags = [number(first, at, order), number(second, len(preview), order)]
        if index % 2:
            tags.append((259, 3, 1, struct.pack(order + "H", 6)))
        if index == 0:
            tags.append((274, 3, 1, struct.pack(order + "H", turn)))
        directories.append(tags)
        at += len(preview)
    return tiff(directories, order).ljust(4096, b"\0") + b"".join(previews)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("preview", [PREVIEW, SMALL], ids=["cut out", "by LibRaw"])
def test_raw_files_open_by_their_preview(preview: bytes, orientation: int) -> None:
    photo = load_photo(dng(preview, orientation), name="photo.dng")
    wanted = turned(orientation, *(WIDE, HIGH) if preview is PREVIEW else (64, 48))
    assert photo.shape == wanted.shape
    assert np.abs(photo.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["cr2", "nef", "arw", "dng", "pef", "srw"])
@pytest.mark.usefixtures("no_libraw")
def test_the_largest_preview_is_cut_out_without_libraw(suffix: str, order: str) -> None:
    data = camera_file(SMALL, PREVIEW, SMALL, order=order, turn=6)
    photo = load_photo(data, name=f"photo.{suffix}")
    assert photo.shape == (WIDE, HIGH, 3)
    assert np.abs(photo.astype(int) - turned(6, WIDE, HIGH)).mean() < 3


@pytest.mark.usefixtures("no_libraw")
def test_fujifilm_files_need_no_libraw() -> None:
    assert load_photo(raf(PREVIEW), name="photo.raf").shape == (HIGH, WIDE, 3)


@pytest.mark.usefixtures("no_libraw")
def test_panasonic_files_need_no_libraw() -> None:
    data = tiff([[(46, 7, len(PREVIEW), struct.pack("<I", 512))]]).ljust(512, b"\0") + PREVIEW
    assert load_photo(data.replace(b"II*\0", b"IIU\0", 1), name="photo.rw2").shape == (HIGH, WIDE, 3)


@pytest.mark.usefixtures("no_libraw")
@pytest.mark.parametrize("data", [
    dng(SMALL, 1),
    raf(SMALL),
    camera_file(PREVIEW[:-1000].replace(b"\xff\xc0", b"\xff\xc3")),  # lossless: the sensor's data
    camera_file(PREVIEW)[:5000],
    b"II*\0" + b"\xff" * 100,
    b"II*\0",
])  # fmt: skip
def test_the_others_name_the_package(data: bytes) -> None:
    with pytest.raises(PictureError, match="needs the package rawpy; run: "):
        load_photo(data, name="photo.nef")


def test_a_preview_that_says_how_it_lies_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    preview = saved(Image.fromarray(scene(WIDE, HIGH)), "JPEG", quality=95, exif=exif)
    photo = load_photo(dng(preview, 6), name="photo.dng")
    assert photo.shape == (WIDE, HIGH, 3)
    assert np.abs(photo.astype(int) - turned(6, WIDE, HIGH)).mean() < 3


@pytest.mark.parametrize("preview", [PREVIEW, SMALL])
def test_a_preview_of_too_many_pixels_is_refused(preview: bytes) -> None:
    with pytest.raises(PictureError, match="over the limit"):
        load_photo(dng(preview, 1), name="photo.dng", max_pixels=1000)


def test_a_crash_of_libraw_costs_one_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.pictures.raw._SCRIPT", CRASH)
    with pytest.raises(PictureError, match="crashed"):
        load_photo(dng(SMALL, 1), name="photo.dng")


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 30), length=st.floats(0.01, 1))
def test_damaged_files_give_a_jpeg_or_nothing(seed: int, changes: int, length: float) -> None:
    """Directories that refer to themselves, counts of billions, places behind the end."""
    rng = random.Random(seed)
    data = bytearray(camera_file(SMALL, PREVIEW, order=rng.choice("<>")))
    for _ in range(changes):
        at = rng.randrange(90)
        data[at] = rng.choice((0, 1, 8, 42, 255, data[at] ^ 1 << rng.randrange(8)))
    found, _ = embedded_jpeg(io.BytesIO(bytes(data[: int(len(data) * length)])))
    assert found is None or found.read(2) == b"\xff\xd8"


def test_a_chain_of_directories_that_never_ends_is_cut() -> None:
    data = bytearray(camera_file(SMALL))
    data[8 + 2 + 3 * 12 : 8 + 2 + 3 * 12 + 4] = struct.pack("<I", 8)  # the next directory is this one
    assert embedded_jpeg(io.BytesIO(bytes(data))) == (None, 1)
