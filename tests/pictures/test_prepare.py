import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sketchseek.pictures import Preprocessing, RasterSketch, fit, normalise, prepare, prepare_batch
from tests.pictures.corpus import scene

SQUASH, PAD, CROP = (Preprocessing(size=32, fit=how, fill=(1, 2, 3)) for how in ("squash", "pad", "crop"))
sides = st.integers(1, 90)


@settings(max_examples=60)
@given(sides, sides, st.sampled_from([SQUASH, PAD, CROP]))
def test_preparing_is_fitting_and_normalising(width: int, height: int, record: Preprocessing) -> None:
    photo = scene(width, height)
    fitted = fit(photo, record)
    assert fitted.shape == (32, 32, 3)
    assert fitted.dtype == np.uint8
    prepared = prepare(photo, record)
    np.testing.assert_array_equal(prepared, normalise(fitted, record))
    assert prepared.dtype == np.float32
    assert prepared.shape == (3, 32, 32)
    np.testing.assert_array_equal(prepare_batch([photo, photo], record), np.stack([prepared, prepared]))


def test_an_empty_batch_has_the_right_shape() -> None:
    assert prepare_batch([], PAD).shape == (0, 3, 32, 32)


def test_normalising_is_what_the_formula_says() -> None:
    photo = scene(32, 32)
    slow = np.empty((3, 32, 32))
    for channel in range(3):
        for row in range(32):
            for column in range(32):
                value = photo[row, column, channel] / 255
                slow[channel, row, column] = (value - SQUASH.mean[channel]) / SQUASH.std[channel]
    np.testing.assert_allclose(normalise(photo, SQUASH), slow, atol=1e-5)


@given(sides, sides)
def test_squash_is_a_plain_resize(width: int, height: int) -> None:
    photo = scene(width, height)
    wanted = np.asarray(Image.fromarray(photo).resize((32, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(fit(photo, SQUASH), wanted)


@given(sides, sides)
def test_pad_keeps_the_shape_and_fills_the_rest(width: int, height: int) -> None:
    fitted = fit(scene(width, height), PAD)
    longest = max(width, height)
    wide, high = max(1, round(width * 32 / longest)), max(1, round(height * 32 / longest))
    top, left = (32 - high) // 2, (32 - wide) // 2
    outside = np.ones((32, 32), bool)
    outside[top : top + high, left : left + wide] = False
    assert (fitted[outside] == [1, 2, 3]).all()
    wanted = Image.fromarray(scene(width, height)).resize((wide, high), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(fitted[~outside], np.asarray(wanted).reshape(-1, 3))


@settings(max_examples=60)
@given(st.integers(20, 200), st.integers(20, 200))
def test_crop_is_what_published_clips_do(width: int, height: int) -> None:
    # Shorter side to 32, then the middle on whole pixels.
    shortest = min(width, height)
    across, down = 32 * width // shortest, 32 * height // shortest
    resized = Image.fromarray(scene(width, height)).resize((across, down), Image.Resampling.BICUBIC)
    left, top = (across - 32) // 2, (down - 32) // 2
    wanted = np.asarray(resized.crop((left, top, left + 32, top + 32)))
    assert np.abs(fit(scene(width, height), CROP).astype(int) - wanted).max() <= 3


def test_long_thin_pictures_cost_nothing_and_keep_their_line() -> None:
    for shape in ((1, 20_000, 3), (20_000, 1, 3)):
        for record in (SQUASH, PAD, CROP):
            assert fit(np.zeros(shape, np.uint8), record).min() == 0


def test_ink_is_cropped_and_centred_with_a_margin() -> None:
    record = Preprocessing(size=100, placement="ink", margin=0.1)
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[20:60, 310:390] = 0  # 80 x 40 of ink in a corner
    drawn = fit(RasterSketch(pixels), record)
    rows, columns = np.nonzero(drawn[:, :, 0] < 128)
    assert (columns.min(), columns.max()) == (10, 89)
    assert (rows.min(), rows.max()) == (30, 69)
    as_drawn = fit(RasterSketch(pixels), Preprocessing(size=100, placement="as_drawn", fit="squash"))
    assert np.nonzero(as_drawn[:, :, 0] < 128)[1].min() > 70


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_photo_is_a_programmers_error(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a photo is uint8"):
        fit(bad, PAD)
