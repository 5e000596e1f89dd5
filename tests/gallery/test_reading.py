"""What is recorded of a photo beside its pixels."""

import struct
import zlib

import pytest
from PIL import Image

from sketchseek.gallery.reading import facts
from sketchseek.pictures import load_photo
from tests.pictures.corpus import saved, scene
from tests.pictures.raw import dng, raf
from tests.pictures.test_heif import heic

WHEN = "2021:07:04 12:33:10"


def exif_of(taken: str, orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    exif.get_ifd(0x8769)[36867] = taken
    return exif


def found(data: bytes, name: str = "a.jpg") -> tuple[int, int, str | None]:
    return facts(data, name, load_photo(data, name=name, target=16))[:3]


def test_a_photo_of_200_megapixels_keeps_its_size_and_date() -> None:
    data = saved(Image.new("L", (16_320, 12_240)), "JPEG", quality=10, exif=exif_of(WHEN, 6))
    assert found(data) == (12_240, 16_320, "2021-07-04T12:33:10")


@pytest.mark.parametrize("taken", ["1839:01:09 10:00:00", "0001:01:01 00:00:00", "9999:12:31 23:59:59"])
def test_dates_of_any_century(taken: str) -> None:
    when = found(saved(Image.new("L", (8, 8)), "JPEG", exif=exif_of(taken)))[2]
    assert when == taken.replace(":", "-", 2).replace(" ", "T")


@pytest.mark.parametrize(
    "taken", ["0000:00:00 00:00:00", "10000:01:01", "2021:13:40 99:99:99", "    ", "\0", "x" * 9999]
)
def test_no_date_is_no_error(taken: str) -> None:
    assert found(saved(Image.new("L", (8, 8)), "JPEG", exif=exif_of(taken))) == (8, 8, None)


def test_the_exif_of_a_png_is_found_on_both_sides_of_its_pixels() -> None:
    image = Image.new("L", (12, 8))
    before = saved(image, "PNG", exif=exif_of(WHEN, 6))
    chunk = b"eXIf" + exif_of(WHEN, 6).tobytes()[6:]
    end = saved(image, "PNG")
    behind = end[:-12] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end[-12:]
    for data in (before, behind):
        assert load_photo(data).shape == (12, 8, 3)
        assert found(data, "a.png") == (8, 12, "2021-07-04T12:33:10")


def test_a_png_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("L", (12, 8)), "PNG")
    pixels = load_photo(data)

    def loading(_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", loading)
    assert facts(data, "a.png", pixels) == (12, 8, None, None)


@pytest.mark.parametrize(("turn", "size"), [(1, (320, 240)), (6, (240, 320))])
def test_camera_files_have_the_size_and_date_of_their_preview(turn: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[36867] = "2023:04:05 06:07:08"
    preview = saved(Image.fromarray(scene(320, 240)), "JPEG", exif=exif)
    assert found(dng(preview, turn), "a.dng") == (*size, "2023-04-05T06:07:08")
    exif[0x0112] = turn
    assert found(raf(saved(Image.fromarray(scene(320, 240)), "JPEG", exif=exif)), "a.raf") == (
        *size,
        "2023-04-05T06:07:08",
    )
    plain = saved(Image.fromarray(scene(320, 240)), "JPEG")
    assert found(raf(plain), "a.raf") == (320, 240, None)


def test_heic_metadata_of_an_impossible_kind_does_not_end_the_process() -> None:
    data = heic(6)
    assert found(data, "a.heic") == (48, 64, None)
    assert found(data.replace(b"Exif", b"\xffxif", 1), "a.heic") == (48, 64, None)


@pytest.mark.filterwarnings("ignore")  # of Pillow; outside of pytest they are ignored, too
def test_damaged_exif_is_no_date() -> None:
    data = saved(Image.new("L", (8, 8)), "JPEG", exif=exif_of(WHEN))
    at = data.index(b"Exif\0\0")
    for cut in range(at + 6, at + 60, 3):
        assert found(data[:cut] + b"\xff\xfe\xff" + data[cut + 3 :])[:2] == (8, 8)
