"""Pictures in 8 bits: as much of a graph computes with whole numbers as a measurement finds harmless."""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from sketchseek.engine.sessions import OrtSession
from sketchseek.export.measure import encode, map_all
from sketchseek.export.pictures import Material
from sketchseek.export.weights import store_in_8_bits


@dataclass(frozen=True)
class Choice:
    """What computes with whole numbers: ``operators``, but not the first ``spared`` convolutions.

    Those look at the pixels themselves. A drawing is mostly one white: rounding it shifts every pixel alike.
    """

    operators: tuple[str, ...]
    spared: int = 0

    def __str__(self) -> str:
        but = f" but the first {self.spared} convolutions" if self.spared else ""
        return f"{' and '.join(self.operators)}{but}" if self.operators else "nothing"


# An activation between two convolutions must be rounded with them, or numbers would change their kind in between.
_CONVOLUTIONS = ("Conv", "Clip", "Relu", "Add")
#: The fastest first; the last one stores weights in 8 bits and computes with fractions.
CHOICES = (Choice((*_CONVOLUTIONS, "MatMul"), spared=2), Choice(_CONVOLUTIONS, spared=2), Choice(()))
TOLERATED = 0.5  # points of mAP@all
_BATCH = 8

Pixels = NDArray[np.uint8]
Pair = tuple[bytes, bytes]  # the graphs of photos and of sketches; often the same


@dataclass(frozen=True)
class Rounded:
    """Graphs in 8 bits and what rounding cost: mAP@all in points before and after."""

    graphs: Pair
    choice: Choice
    before: float
    after: float


def round_pictures(graphs: Pair, material: Material, choices: Sequence[Choice] = CHOICES) -> Rounded:
    """The first of ``choices`` that costs at most ``TOLERATED`` points, or else the one that costs least."""
    before = _measured(graphs, material)
    best: Rounded | None = None
    for choice in choices:
        rounded = _rounded(graphs, material, choice)
        found = Rounded(rounded, choice, before, _measured(rounded, material))
        if best is None or found.after > best.after:
            best = found
        if before - found.after <= TOLERATED:
            return found
    assert best is not None, "there is a choice"
    return best


def _rounded(graphs: Pair, material: Material, choice: Choice) -> Pair:
    photo, sketch = graphs
    if photo == sketch:
        both = _round(photo, np.concatenate((material.seen_photos, material.seen_sketches)), choice)
        return both, both
    return _round(photo, material.seen_photos, choice), _round(sketch, material.seen_sketches, choice)


def _measured(graphs: Pair, material: Material) -> float:
    photo, sketch = graphs
    first = OrtSession(photo, "CPU", 0)
    second = first if sketch == photo else OrtSession(sketch, "CPU", 0)
    return map_all(encode(second, material.sketches), encode(first, material.photos), material)


def _round(graph: bytes, seen: Pixels, choice: Choice) -> bytes:
    """A graph whose operators take and give 8-bit numbers as ``choice`` says, within the ranges that ``seen`` has."""
    if not choice.operators:
        return store_in_8_bits(graph)
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        paths = Path(folder) / "whole.onnx", Path(folder) / "rounded.onnx"
        paths[0].write_bytes(graph)
        quantize_static(
            *map(str, paths),
            _Feed(seen),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(choice.operators),
            nodes_to_exclude=_first_convolutions(graph, choice.spared),
            per_channel=True,
            # 7 bits for weights: on processors without VNNI, products of 8 by 8 bits overflow unseen.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return store_in_8_bits(paths[1].read_bytes())


def _first_convolutions(graph: bytes, count: int) -> list[str]:
    """The names of the first convolutions and of the activations behind them."""
    nodes = onnx.load_from_string(graph).graph.node
    after = {name: node for node in nodes for name in node.input}
    names = []
    for convolution in [node for node in nodes if node.op_type == "Conv"][:count]:
        names.append(convolution.name)
        following = after.get(convolution.output[0])
        if following is not None and following.op_type in ("Clip", "Relu"):
            names.append(following.name)
    return names


class _Feed:
    """Batches of pictures, as onnxruntime's calibration asks for them."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches: Iterator[Mapping[str, Any]] = iter(
            [{"pixels": pixels[start : start + _BATCH]} for start in range(0, len(pixels), _BATCH)]
        )

    def get_next(self) -> Mapping[str, Any] | None:
        return next(self._batches, None)


class _quiet:
    """No advice from the quantiser's log meanwhile."""

    def __enter__(self) -> None:
        self._before = logging.root.level
        logging.root.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.root.setLevel(self._before)
