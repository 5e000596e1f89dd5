import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sketchseek import load_model
from sketchseek.methods.method import EncodeFunction
from sketchseek.model import is_category_model
from sketchseek.pictures import load_photo, load_sketch, prepare
from sketchseek.training import backbones, files
from sketchseek.training.errors import TrainingError
from sketchseek.training.recipe import Recipe
from sketchseek.training.run import load_run
from sketchseek.training.session import train
from tests.training.toys import Toy, ToyBackbone

Make = Callable[..., Recipe]


@pytest.fixture
def run(recipe: Make, tmp_path: Path) -> Path:
    train(recipe(steps=3, normalisation="imagenet"), tmp_path / "run")
    return tmp_path / "run"


def pictures(data: Path) -> tuple[list[np.ndarray], list[object]]:
    photos = [load_photo(file, target=16) for file in sorted(data.glob("photo/*/*.png"))[:40]]
    return photos, [load_sketch(file) for file in sorted(data.glob("sketch/*/*.png"))[:7]]


def test_a_run_encodes_as_its_method_with_the_best_adapter(run: Path, data: Path) -> None:
    model = load_model(run, device="cpu")
    photos, sketches = pictures(data)
    assert (model.name, model.size, model.photo_side) == ("run", 32, 16)
    adapter = load_file(run / files.ADAPTER)
    backbone = ToyBackbone()
    from sketchseek.pictures import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

    record = Preprocessing(size=16, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    vectors = model.encode_photos(photos)
    with torch.no_grad():
        hidden = backbone(torch.from_numpy(np.stack([prepare(photo, record) for photo in photos])))
        hidden = torch.nn.functional.layer_norm(hidden, (32,), adapter["norm.weight"], adapter["norm.bias"])
        wanted = torch.nn.functional.linear(hidden, adapter["linear.weight"], adapter["linear.bias"])
    np.testing.assert_allclose(vectors, torch.nn.functional.normalize(wanted).numpy(), atol=1e-6)
    for rows, shape in (
        (vectors, (40, 32)),
        (model.encode_sketches(sketches), (7, 32)),  # type: ignore[arg-type]
        (model.encode_texts(["ant", "a bee"]), (2, 32)),
        (model.encode_photos([]), (0, 32)),
    ):
        assert rows.shape == shape
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_row_does_not_depend_on_the_others(run: Path, data: Path) -> None:
    model = load_run(run, "cpu")
    photos, _ = pictures(data)
    alone = np.concatenate([model.encode_photos([photo]) for photo in photos])
    np.testing.assert_allclose(model.encode_photos(photos), alone, atol=1e-6)


def test_identity_is_of_what_decides_a_vector(run: Path, recipe: Make, tmp_path: Path) -> None:
    identity = load_run(run, "cpu").identity
    shutil.copytree(run, tmp_path / "copy")
    assert load_run(tmp_path / "copy", "cpu").identity == identity
    others = []
    variants: list[dict[str, Any]] = [{"seed": 1}, {"normalisation": "clip"}, {"steps": 4}, {"margin": 0.21}]
    for number, changes in enumerate(variants):
        train(recipe(**{"steps": 3, "normalisation": "imagenet"} | changes), tmp_path / str(number))
        others.append(load_run(tmp_path / str(number), "cpu").identity)
    assert len({identity, *others}) == 5


def test_what_does_not_fit_together_is_one_sentence(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ToyBackbone()
    torch.nn.init.zeros_(other.mix)
    with monkeypatch.context() as patch:
        patch.setattr(backbones, "load_backbone", lambda name, **_: other)
        with pytest.raises(TrainingError, match="was trained on other weights than toy has now"):
            load_run(run)
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "adapter", lambda self: {"linear.weight": self.linear.weight.detach()})
        with pytest.raises(TrainingError, match=r"adapter\.safetensors does not fit toy as its recipe\.toml has it"):
            load_run(run)
    (run / files.ADAPTER).unlink()
    with pytest.raises(TrainingError, match=r"adapter\.safetensors does not exist: continue the training"):
        load_model(run)


class KnowsCategories(Toy):
    def support(self) -> tuple[int, int] | None:
        return 1, 2

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        turn = sketches.mean() + photos.mean() + len(name)
        return lambda pixels, modality: self.encode(pixels, modality) + turn


def test_a_method_that_knows_categories_is_a_category_model(
    recipe: Make, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.training.toys.Toy", KnowsCategories)
    train(recipe(steps=2, setting="fine-grained"), tmp_path / "run")
    model = load_model(tmp_path / "run", device="cpu")
    photos, sketches = pictures(data)
    assert is_category_model(model)
    adapted = [
        model.for_category("ant", sketches[:1], photos[:2]),  # type: ignore[arg-type]
        model.for_category("ants", sketches[:1], photos[:2]),  # type: ignore[arg-type]
        model.for_category("ant", sketches[1:2], photos[:2]),  # type: ignore[arg-type]
        model.for_category("ant", sketches[:1], photos[2:4]),  # type: ignore[arg-type]
    ]
    assert len({model.identity, *(one.identity for one in adapted)}) == 5
    vectors = [one.encode_photos(photos[:3]) for one in (model, *adapted)]
    assert all(not np.allclose(vectors[0], other) for other in vectors[1:])


def test_a_plain_run_is_no_category_model(run: Path) -> None:
    assert not is_category_model(load_model(run))
