"""What a training needs to go on as if nothing had happened, in one file; and the adapter it is about.

The state is one safetensors file, so that tensors and counters can never disagree. It holds no random state and no
place in the data: both are functions of the seed and the step.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from sketchseek.methods.method import Method
from sketchseek.training.errors import TrainingError
from sketchseek.training.files import write_whole
from sketchseek.training.log import Meter

FORMAT = 1
_KEY = "sketchseek"  # of the one entry of metadata: the library keeps several in no fixed order


@dataclass(frozen=True)
class Best:
    """The state chosen so far."""

    step: int
    metric: str | None  # None: chosen for being the last
    values: dict[str, float]  # of validation, by explicit name


@dataclass
class Counters:
    """Everything about a training that is no tensor."""

    recipe: str  # fingerprints: of what decides the result,
    material: str  # of the training pictures,
    backbone: str  # and of the frozen weights
    processes: int
    step: int = 0  # updates done
    best: Best | None = None
    meter: Meter = field(default_factory=Meter)
    scaler: dict[str, Any] = field(default_factory=dict)  # of fp16's loss scale


def save_state(
    file: Path, counters: Counters, method: Method, best: Mapping[str, Tensor], optimiser: Optimizer
) -> None:
    """``best`` are the adapter's tensors that go with ``counters.best``."""
    tensors = {f"adapter.{name}": tensor for name, tensor in method.adapter().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in values.items()}
    write_whole(file, _packed(tensors, {"format": FORMAT, **asdict(counters)}))


def load_state(file: Path) -> tuple[Counters, dict[str, Tensor]]:
    """Counters, and the tensors for ``restore``."""
    tensors, facts = _unpacked(file)
    _check_format(file, facts)
    best = facts.pop("best")
    return (
        Counters(**{**facts, "best": Best(**best) if best else None, "meter": Meter(**facts["meter"])}),
        tensors,
    )


def restore(tensors: Mapping[str, Tensor], method: Method, optimiser: Optimizer) -> dict[str, Tensor]:
    """Put the method and the optimiser back to where they were; gives the best adapter."""
    method.load_adapter(_below("adapter.", tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _below("optimiser.", tensors).items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
    return _below("best.", tensors)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def copy_adapter(method: Method) -> dict[str, Tensor]:
    """The adapter as it is now, on the CPU, unmoved by further steps."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in method.adapter().items()}


@dataclass(frozen=True)
class AdapterFacts:
    """What the tensors of an adapter belong to."""

    backbone: str  # identity of the frozen weights
    classes: tuple[str, ...]  # seen in training, in words
    best: Best


def save_adapter(file: Path, tensors: Mapping[str, Tensor], facts: AdapterFacts) -> None:
    """The file searching and evaluating read: only what was trained, and what it was trained on."""
    write_whole(file, _packed(tensors, {"format": FORMAT, **asdict(facts)}))


def load_adapter(file: Path) -> tuple[dict[str, Tensor], AdapterFacts]:
    """What ``save_adapter`` was given."""
    tensors, facts = _unpacked(file)
    _check_format(file, facts)
    return tensors, AdapterFacts(str(facts["backbone"]), tuple(facts["classes"]), Best(**facts["best"]))


def _check_format(file: Path, facts: dict[str, Any]) -> None:
    if (version := facts.pop("format", None)) != FORMAT:
        raise TrainingError(f"{file} has format {version}, and this sketchseek reads {FORMAT}: install a newer one")


def _packed(tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> bytes:
    # Tensors that share memory, or are stretches of others, are stored on their own.
    whole = {
        name: tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    return save(whole, {_KEY: json.dumps(facts)})


def _unpacked(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(file, framework="pt") as opened:
            facts = json.loads((opened.metadata() or {})[_KEY])
            return {name: opened.get_tensor(name) for name in opened.keys()}, facts  # noqa: SIM118 - no mapping
    except FileNotFoundError:
        raise TrainingError(f"there is no {file}: train on, or name another run folder") from None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(f"{file} is damaged or was not written by a training ({error})") from error
