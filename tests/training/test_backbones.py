from collections.abc import Callable

import numpy as np
import pytest

from sketchseek.pictures import RasterSketch, fit
from sketchseek.training.backbones import open_backbone
from sketchseek.training.recipe import Recipe
from tests.training.toys import SIDE, ToyBackbone

Make = Callable[..., Recipe]


def test_pictures_are_prepared_as_the_backbone_says_by_default(recipe: Make) -> None:
    backbone = open_backbone(recipe())
    assert (backbone.photos, backbone.sketches) == (ToyBackbone().photos, ToyBackbone().sketches)


@pytest.mark.parametrize(("sketch_fit", "inked"), [("letter-box", 0.25), ("ink", 0.9)])
def test_a_sketch_is_kept_whole_or_cropped_to_its_ink(sketch_fit: str, inked: float, recipe: Make) -> None:
    sheet = np.full((64, 32, 3), 255, np.uint8)
    sheet[0:16, 0:16] = 0  # a quarter of the longer side, in a corner
    record = open_backbone(recipe(sketch_fit=sketch_fit)).sketches
    dark = fit(RasterSketch(sheet), record).mean(axis=2) < 128
    assert dark.any(axis=0).sum() == dark.any(axis=1).sum() == pytest.approx(inked * SIDE, abs=1)
    if sketch_fit == "letter-box":
        assert dark[0, SIDE // 4]  # where it was on the sheet, between two white margins
        assert not dark[:, : SIDE // 4].any()


@pytest.mark.parametrize(("photo_fit", "dark"), [("letter-box", 0.5), ("crop", 0.0), ("squash", 0.0)])
def test_a_photo_is_padded_cropped_or_squashed(photo_fit: str, dark: float, recipe: Make) -> None:
    photo = np.full((32, 64, 3), 200, np.uint8)
    photo[:, 48:] = 120
    fitted = fit(photo, open_backbone(recipe(photo_fit=photo_fit)).photos)
    assert (fitted == 0).mean() == dark
    assert (fitted == 120).any() == (photo_fit != "crop")
