import numpy as np
import pytest
from numpy.typing import NDArray

from sketchseek.methods.method import Augmentation
from sketchseek.training.data.augment import MOST_DEGREES, Changes, change, draw_changes

Pictures = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

PLAIN = Changes(flip=False, degrees=0.0, grey=False)


@pytest.fixture
def pictures() -> Pictures:
    sketch, positive, negative = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    return sketch, positive, negative


def test_nothing_drawn_changes_nothing(pictures: Pictures) -> None:
    changed = change(*pictures, PLAIN)
    assert all(np.array_equal(before, after) for before, after in zip(pictures, changed, strict=True))


def test_sketch_and_positive_are_flipped_together(pictures: Pictures) -> None:
    sketch, positive, negative = change(*pictures, Changes(True, 0.0, False))
    assert np.array_equal(sketch, np.flip(pictures[0], 1))
    assert np.array_equal(positive, np.flip(pictures[1], 1))
    assert np.array_equal(negative, pictures[2])


def test_sketch_and_positive_turn_together_on_white() -> None:
    dot = np.full((31, 31, 3), 255, np.uint8)
    dot[15, 25] = 0
    sketch, positive, negative = change(dot, dot, dot, Changes(False, 30.0, False))
    assert np.array_equal(sketch, positive)
    assert np.array_equal(negative, dot)
    row, column = np.unravel_index(sketch[..., 0].argmin(), (31, 31))
    assert (int(row), int(column)) == (10, 24)  # 10 px from the centre, 30 degrees up
    assert sketch[0, 0, 0] == 255
    black = np.zeros((31, 31, 3), np.uint8)
    assert change(black, black, black, Changes(False, 30.0, False))[0][0, 0, 0] == 255


def test_both_photos_become_grey_together(pictures: Pictures) -> None:
    sketch, *photos = change(*pictures, Changes(False, 0.0, True))
    for photo, before in zip(photos, pictures[1:], strict=True):
        expected = before.astype(float) @ [0.299, 0.587, 0.114]
        assert np.abs(photo - expected[..., None]).max() <= 1
    assert np.array_equal(sketch, pictures[0])


def test_chances_are_kept() -> None:
    random = np.random.default_rng(1)
    drawn = [draw_changes(Augmentation(flip=0.5, rotate=0.25, grayscale=0.75), random) for _ in range(4000)]
    assert abs(np.mean([one.flip for one in drawn]) - 0.5) < 0.04
    assert abs(np.mean([one.degrees != 0 for one in drawn]) - 0.25) < 0.04
    assert abs(np.mean([one.grey for one in drawn]) - 0.75) < 0.04
    degrees = np.array([one.degrees for one in drawn if one.degrees])
    assert -MOST_DEGREES <= degrees.min() < -28
    assert 28 < degrees.max() <= MOST_DEGREES


def test_one_chance_does_not_move_the_others() -> None:
    both = [draw_changes(Augmentation(flip=chance, rotate=0.5), np.random.default_rng(3)) for chance in (0.0, 1.0)]
    assert both[0].degrees == both[1].degrees
