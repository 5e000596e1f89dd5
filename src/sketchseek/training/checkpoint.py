"""The files of a training: its state, from which it resumes exactly, and the adapter it produces.

The state is one safetensors file, so that tensors and numbers always belong together. It holds no random state and no
position in the data: both are functions of the seed and the step.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from sketchseek.methods.method import Method
from sketchseek.training.averaging import Average
from sketchseek.training.errors import TrainingError
from sketchseek.training.files import write_whole
from sketchseek.training.log import Meter

FORMAT = 1
_KEY = "sketchseek"  # of the only metadata entry: safetensors writes several in no fixed order


@dataclass(frozen=True)
class Best:
    """The state chosen so far."""

    step: int
    metric: str | None  # None: chosen because it is the last
    values: dict[str, float]  # of validation, by explicit name


@dataclass
class TrainingState:
    """Everything a training resumes from that is not a tensor."""

    recipe: str  # fingerprints: of the settings that decide the result,
    material: str  # of the training pictures,
    backbone: str  # and of the frozen weights
    processes: int
    step: int = 0  # completed updates
    best: Best | None = None
    meter: Meter = field(default_factory=Meter)
    scaler: dict[str, Any] = field(default_factory=dict)  # loss scale of fp16


def save_state(
    file: Path,
    state: TrainingState,
    method: Method,
    best: Mapping[str, Tensor],
    optimiser: Optimizer,
    average: Average | None = None,
) -> None:
    """Write the state; ``best`` holds the adapter's tensors that belong to ``state.best``."""
    tensors = {f"adapter.{name}": tensor for name, tensor in method.adapter().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.tensors.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in values.items()}
    write_whole(file, _packed(tensors, {"format": FORMAT, **asdict(state)}))


def load_state(file: Path) -> tuple[TrainingState, dict[str, Tensor]]:
    """The saved state, and the tensors for ``restore``."""
    tensors, facts = _unpacked(file)
    with _described(file):
        if not all(type(facts[name]) is int and facts[name] >= 0 for name in ("step", "processes")):
            raise ValueError("step and processes must be whole numbers")
        best = facts.pop("best")
        state = TrainingState(**{**facts, "best": Best(**best) if best else None, "meter": Meter(**facts["meter"])})
    return state, tensors


def restore(
    tensors: Mapping[str, Tensor], method: Method, optimiser: Optimizer, average: Average | None = None
) -> dict[str, Tensor]:
    """Restore method, optimiser and average from saved tensors; returns the tensors of the best adapter."""
    method.load_adapter(_below("adapter.", tensors))
    if average is not None:
        average.load(_below("average.", tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _below("optimiser.", tensors).items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
    return _below("best.", tensors)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def copy_adapter(method: Method) -> dict[str, Tensor]:
    """A copy of the adapter on the CPU, which further steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in method.adapter().items()}


@dataclass(frozen=True)
class AdapterFacts:
    """What the tensors of an adapter were trained on."""

    backbone: str  # identity of the frozen weights
    classes: tuple[str, ...]  # names of the classes seen in training
    best: Best


def save_adapter(file: Path, tensors: Mapping[str, Tensor], facts: AdapterFacts) -> None:
    """Write the file that search and evaluation read: only what was trained, and what it was trained on."""
    write_whole(file, _packed(tensors, {"format": FORMAT, **asdict(facts)}))


def load_adapter(file: Path) -> tuple[dict[str, Tensor], AdapterFacts]:
    """The tensors and facts that ``save_adapter`` wrote."""
    tensors, facts = _unpacked(file)
    with _described(file):
        classes = tuple(facts["classes"])
        if not all(isinstance(name, str) for name in classes):
            raise TypeError("a class is no text")
        return tensors, AdapterFacts(str(facts["backbone"]), classes, Best(**facts["best"]))


def _check_format(file: Path, facts: dict[str, Any]) -> None:
    if (version := facts.pop("format", None)) != FORMAT:
        raise TrainingError(f"{file} has format {version}, and this sketchseek reads {FORMAT}: install a newer one")


def _packed(tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> bytes:
    # safetensors rejects tensors that share memory or are slices of others: store copies.
    copies = {
        name: tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    return save(copies, {_KEY: json.dumps(facts)})


@contextmanager
def _described(file: Path) -> Iterator[None]:
    """Every error of reading a file as one sentence."""
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{file} is damaged or was not written by a training ({error})") from error


def _unpacked(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not file.is_file():
        raise TrainingError(f"{file} does not exist: continue the training, or name another run folder")
    with _described(file), safe_open(file, framework="pt") as opened:
        facts = json.loads((opened.metadata() or {})[_KEY])
        _check_format(file, facts)
        return {name: opened.get_tensor(name) for name in opened.keys()}, facts  # noqa: SIM118 - not a mapping
