import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from sketchseek.pictures import PictureError, load_photo
from tests.pictures.corpus import saved, scene
from tests.pictures.raw import dng

PREVIEW = saved(Image.fromarray(scene()), "JPEG", quality=95)


def turned(orientation: int) -> np.ndarray:
    """The scene as it is meant to be seen when EXIF says ``orientation``."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(io.BytesIO(saved(Image.fromarray(scene()), "PNG", exif=exif)))
    return np.asarray(ImageOps.exif_transpose(image))


def heic(orientation: int = 1) -> bytes:
    image = Image.fromarray(scene())
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    container = pillow_heif.from_pillow(image)
    container.save(stream, quality=95, exif=exif.tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_raw_files_open_by_their_preview(orientation: int) -> None:
    photo = load_photo(dng(PREVIEW, orientation), name="photo.dng")
    wanted = turned(orientation)
    assert photo.shape == wanted.shape
    assert np.abs(photo.astype(int) - wanted).mean() < 3


def test_a_preview_that_says_how_it_lies_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    preview = saved(Image.fromarray(scene()), "JPEG", quality=95, exif=exif)
    photo = load_photo(dng(preview, 6), name="photo.dng")
    assert photo.shape == (64, 48, 3)
    assert np.abs(photo.astype(int) - turned(6)).mean() < 3


def test_a_preview_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(PictureError, match="over the limit"):
        load_photo(dng(PREVIEW, 1), name="photo.dng", max_pixels=1000)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_opens_upright(orientation: int) -> None:
    photo = load_photo(heic(orientation), name="photo.heic")
    assert photo.shape == turned(orientation).shape
    assert np.abs(photo.astype(int) - turned(orientation)).mean() < 4


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("data", "name"), [(heic(), "photo.heic"), (dng(PREVIEW, 1), "photo.dng")])
def test_what_is_cut_short_is_a_picture_or_a_picture_error(data: bytes, name: str, share: float) -> None:
    try:
        photo = load_photo(data[: int(len(data) * share)], name=name)
    except PictureError as error:
        assert str(error).startswith(name)
    else:
        assert photo.shape == (48, 64, 3)


def test_damaged_metadata_does_not_end_the_process() -> None:
    """A kind of metadata that is not text: pi-heif 1.4.0 by itself ends with a segmentation fault."""
    data = heic(6).replace(b"Exif", b"\xffxif", 1)
    assert load_photo(data, name="photo.heic").shape == (64, 48, 3)


def test_heic_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(PictureError, match="over the limit"):
        load_photo(heic(), name="photo.heic", max_pixels=1000)
