import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch

from sketchseek.clip.devices import choose_device
from sketchseek.errors import SketchseekError
from sketchseek.training.errors import TrainingError
from sketchseek.training.optimise import (
    all_finite,
    build_optimiser,
    choose_precision,
    rate_factor,
    set_rates,
)
from sketchseek.training.recipe import Recipe
from tests.training.toys import Toy, ToyBackbone, ToyOptions

Make = Callable[..., Recipe]


@pytest.fixture
def toy() -> Toy:
    return Toy(cast(Any, ToyBackbone()), ("ant", "bee"), "category", ToyOptions())


def test_each_group_has_its_rate_unless_one_is_given(toy: Toy, recipe: Make) -> None:
    rates = {group["name"]: group["lr"] for group in build_optimiser(toy, recipe()).param_groups}
    assert rates == {"linear": 1e-2, "norm": 1e-3}
    rates = {group["name"]: group["lr"] for group in build_optimiser(toy, recipe(lr=0.5)).param_groups}
    assert rates == {"linear": 0.5, "norm": 0.5}


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_only_weights_of_layers_decay(kind: str, toy: Toy, recipe: Make) -> None:
    optimiser = build_optimiser(toy, recipe(weight_decay=0.1, optimiser=kind))
    decays = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert {name: decays[id(p)] for name, p in toy.named_parameters() if id(p) in decays} == {
        "linear.weight": 0.1,
        "linear.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
    }
    assert type(optimiser).__name__.lower() == kind


def test_rates_rise_and_fall() -> None:
    constant = [rate_factor(step, 10, "constant", 4) for step in range(10)]
    assert constant == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])
    cosine = [rate_factor(step, 10, "cosine", 2) for step in range(10)]
    assert cosine == pytest.approx([1 / 3, 2 / 3, *(0.5 * (1 + math.cos(math.pi * k / 8)) for k in range(8))])
    assert rate_factor(10, 10, "cosine", 2) == pytest.approx(0)
    assert rate_factor(3, 3, "cosine", 3) == 1.0  # nothing but warmup


def test_set_rates_starts_from_the_base_rates(toy: Toy, recipe: Make) -> None:
    optimiser = build_optimiser(toy, recipe())
    for factor in (0.5, 0.1):
        set_rates(optimiser, factor)
        assert [group["lr"] for group in optimiser.param_groups] == [1e-2 * factor, 1e-3 * factor]


def test_the_cpu_computes_in_full_precision() -> None:
    assert choose_precision("auto", torch.device("cpu")) is None
    assert choose_precision("off", torch.device("cpu")) is None
    for wanted in ("bf16", "fp16"):
        with pytest.raises(TrainingError, match=f"{wanted} needs a CUDA device"):
            choose_precision(wanted, torch.device("cpu"))


def test_a_gpu_computes_in_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for native, half in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, native=native: native)
        assert choose_precision("auto", gpu) is half
        assert choose_precision("off", gpu) is None
        assert choose_precision("fp16", gpu) is torch.float16
    with pytest.raises(TrainingError, match="no bf16"):
        choose_precision("bf16", gpu)


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SketchseekError, match="'quantum' cannot be used"):
        choose_device("quantum")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_number_in_a_gradient_is_found(bad: float) -> None:
    parameters = [torch.nn.Parameter(torch.ones(3)) for _ in range(3)]
    assert all_finite(parameters)  # nothing there is nothing bad
    for parameter in parameters[:2]:
        parameter.grad = torch.ones(3)
    assert all_finite(parameters)
    parameters[1].grad = torch.tensor([1.0, bad, 1.0])
    assert not all_finite(parameters)
