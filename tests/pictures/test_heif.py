import io
import sys
import time

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from sketchseek.pictures import PictureError, load_photo
from sketchseek.pictures.header import factors
from sketchseek.pictures.heif import heif_facts, open_heif
from tests.pictures.corpus import saved, scene, with_profile

CRASH = "import ctypes\nctypes.string_at(0)\n"
FOREVER = "while True: pass\n"
GREEDY = "data = [bytes(2**26) for _ in range(1000)]\n"


def turned(orientation: int, width: int = 64, height: int = 48) -> np.ndarray:
    """The scene as it is meant to be seen when EXIF says ``orientation``."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(io.BytesIO(saved(Image.fromarray(scene(width, height)), "PNG", exif=exif)))
    return np.asarray(ImageOps.exif_transpose(image))


def heic(orientation: int = 1, taken: str | None = None) -> bytes:
    image = Image.fromarray(scene())
    exif = Image.Exif()
    exif[0x0112] = orientation
    if taken:
        exif.get_ifd(0x8769)[36867] = taken
    stream = io.BytesIO()
    container = pillow_heif.from_pillow(image)
    container.save(stream, quality=95, exif=exif.tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_opens_upright(orientation: int) -> None:
    photo = load_photo(heic(orientation), name="photo.heic")
    assert photo.shape == turned(orientation).shape
    assert np.abs(photo.astype(int) - turned(orientation)).mean() < 4
    assert heif_facts(heic(orientation))[0] == (photo.shape[1], photo.shape[0])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_what_is_cut_short_is_a_picture_or_a_picture_error(share: float) -> None:
    try:
        photo = load_photo(heic()[: int(len(heic()) * share)], name="photo.heic")
    except PictureError as error:
        assert str(error).startswith("photo.heic: ")
    else:
        assert photo.shape == (48, 64, 3)


def test_damaged_metadata_does_not_keep_a_photo_from_opening() -> None:
    """A kind of metadata that is not text: pi-heif 1.4.0 by itself ends with a segmentation fault."""
    data = heic(6).replace(b"Exif", b"\xffxif", 1)
    assert load_photo(data, name="photo.heic").shape == (64, 48, 3)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(PictureError, match="over the limit"):
        load_photo(heic(), name="photo.heic", max_pixels=1000)


def test_the_decoder_itself_counts_the_pixels() -> None:
    """As `load_photo` does in the header, before the decoder starts."""
    with pytest.raises(PictureError, match="over the limit"):
        open_heif(heic(), "photo.heic", max_pixels=1000)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are not enforced elsewhere")
@pytest.mark.parametrize("script", [CRASH, FOREVER, GREEDY], ids=["crash", "forever", "greedy"])
def test_a_decoder_that_misbehaves_costs_one_photo(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.pictures.heif._SCRIPT", script)
    monkeypatch.setattr("sketchseek.pictures.heif.SECONDS", 1)
    start = time.monotonic()
    with pytest.raises(PictureError, match=r"crashed, or took too much|MemoryError"):
        load_photo(heic(), name="photo.heic")
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("target", [10, 21, 32])
def test_it_is_reduced_where_less_is_needed(target: int) -> None:
    """As a whole picture is reduced in this process."""
    whole = open_heif(heic(6), "photo.heic", 10_000)
    by = factors(whole.size, target)
    wanted = np.asarray(whole.reduce(by) if by != (1, 1) else whole)
    assert (load_photo(heic(6), name="photo.heic", target=target) == wanted).all()


def test_the_colour_profile_is_kept() -> None:
    image, profile = Image.fromarray(scene()), with_profile()  # which has the time in it
    image.info["icc_profile"] = profile
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95)
    assert open_heif(stream.getvalue(), "photo.heic", 10_000).info["icc_profile"] == profile
