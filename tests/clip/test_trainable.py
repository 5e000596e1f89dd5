"""What is trained, by name and by number."""

import pytest
import torch
from transformers import CLIPConfig

from sketchseek.clip.backbone import build_clip
from sketchseek.clip.towers import ImageTower
from sketchseek.clip.trainable import freeze, norm_names, train_only, trained


@pytest.fixture
def vit_b32() -> ImageTower:
    with torch.device("meta"):
        return build_clip(CLIPConfig())[0]


def test_layernorm_tuning_of_vit_b32_trains_the_layernorms_and_nothing_else(vit_b32: ImageTower) -> None:
    train_only(vit_b32, norm_names(vit_b32))
    norms = ["pre_norm", "post_norm", *(f"layers.{n}.layer_norm{which}" for n in range(12) for which in (1, 2))]
    assert len(norms) == 26
    assert trained(vit_b32) == {f"{norm}.{kind}": 768 for norm in norms for kind in ("weight", "bias")}
    assert sum(trained(vit_b32).values()) == 39_936


def test_a_second_set_of_layernorms_holds_as_many(vit_b32: ImageTower) -> None:
    freeze(vit_b32)
    norms = vit_b32.copy_norms()
    assert sum(trained(norms).values()) == 39_936
    assert trained(vit_b32) == {}


def test_train_only_freezes_the_rest(vit_b32: ImageTower) -> None:
    train_only(vit_b32, ["projection.weight"])
    assert trained(vit_b32) == {"projection.weight": 512 * 768}
    train_only(vit_b32, [])
    assert trained(vit_b32) == {}


def test_a_name_that_is_not_there_is_an_error(vit_b32: ImageTower) -> None:
    with pytest.raises(ValueError, match=r"no parameter is called 'proj'"):
        train_only(vit_b32, ["proj"])


def test_norm_names_of_a_bare_layernorm() -> None:
    assert norm_names(torch.nn.LayerNorm(3)) == ["weight", "bias"]
