"""Picture graphs in 8 bits: compute as much with integers as the measured loss of accuracy allows."""

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
from sketchseek.export.pictures import MeasuredPictures
from sketchseek.export.weights import store_in_8_bits
from sketchseek.parallel import batches


@dataclass(frozen=True)
class Choice:
    """What computes with integers: ``operators``, except the first ``spared`` convolutions.

    Those see the pixels. A drawing is mostly the same white, so rounding shifts nearly all pixels by the same amount.
    """

    operators: tuple[str, ...]
    spared: int = 0

    def __str__(self) -> str:
        but = f" but the first {self.spared} convolutions" if self.spared else ""
        return f"{' and '.join(self.operators)}{but}" if self.operators else "nothing"


# Round an activation between two convolutions with them, so that nothing is converted to floats in between.
_CONVOLUTIONS = ("Conv", "Clip", "Relu", "Add")
#: The fastest first; the last one stores weights in 8 bits and computes with floats.
CHOICES = (Choice((*_CONVOLUTIONS, "MatMul"), spared=2), Choice(_CONVOLUTIONS, spared=2), Choice(()))
TOLERATED = 0.5  # points of mAP@all
_BATCH = 8

Pixels = NDArray[np.uint8]
Pair = tuple[bytes, bytes]  # the graphs of photos and of sketches; often the same


@dataclass(frozen=True)
class Rounded:
    """Graphs in 8 bits, and mAP@all in points before and after rounding."""

    graphs: Pair
    choice: Choice
    before: float
    after: float


def round_pictures(graphs: Pair, pictures: MeasuredPictures, choices: Sequence[Choice] = CHOICES) -> Rounded:
    """The first of ``choices`` that costs at most ``TOLERATED`` points, else the one that costs least."""
    before = _measured(graphs, pictures)
    best: Rounded | None = None
    for choice in choices:
        rounded = _rounded(graphs, pictures, choice)
        found = Rounded(rounded, choice, before, _measured(rounded, pictures))
        if best is None or found.after > best.after:
            best = found
        if before - found.after <= TOLERATED:
            return found
    assert best is not None, "choices is not empty"
    return best


def _rounded(graphs: Pair, pictures: MeasuredPictures, choice: Choice) -> Pair:
    photo, sketch = graphs
    if photo == sketch:
        both = _round(photo, np.concatenate((pictures.range_photos, pictures.range_sketches)), choice)
        return both, both
    return _round(photo, pictures.range_photos, choice), _round(sketch, pictures.range_sketches, choice)


def _measured(graphs: Pair, pictures: MeasuredPictures) -> float:
    photo, sketch = graphs
    first = OrtSession(photo, "CPU", 0)
    second = first if sketch == photo else OrtSession(sketch, "CPU", 0)
    return map_all(encode(second, pictures.sketches), encode(first, pictures.photos), pictures)


def _round(graph: bytes, pixels: Pixels, choice: Choice) -> bytes:
    """The graph with the operators of ``choice`` in 8 bits, within the ranges of activations on ``pixels``."""
    if not choice.operators:
        return store_in_8_bits(graph)
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        paths = Path(folder) / "float.onnx", Path(folder) / "rounded.onnx"
        paths[0].write_bytes(graph)
        quantize_static(
            *map(str, paths),
            _CalibrationData(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(choice.operators),
            nodes_to_exclude=_first_convolutions(graph, choice.spared),
            per_channel=True,
            # 7 bits for weights: on CPUs without VNNI, products of 8 by 8 bits overflow silently.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return store_in_8_bits(paths[1].read_bytes())


def _first_convolutions(graph: bytes, count: int) -> list[str]:
    """The names of the first convolutions and of the activations after them."""
    nodes = onnx.load_from_string(graph).graph.node
    after = {name: node for node in nodes for name in node.input}
    names = []
    for convolution in [node for node in nodes if node.op_type == "Conv"][:count]:
        names.append(convolution.name)
        following = after.get(convolution.output[0])
        if following is not None and following.op_type in ("Clip", "Relu"):
            names.append(following.name)
    return names


class _CalibrationData:
    """Batches of pictures for onnxruntime's calibration."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches: Iterator[Mapping[str, Any]] = ({"pixels": batch} for _, batch in batches(pixels, _BATCH))

    def get_next(self) -> Mapping[str, Any] | None:
        return next(self._batches, None)


class _quiet:
    """Silences the log of the quantiser."""

    def __enter__(self) -> None:
        self._before = logging.root.level
        logging.root.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.root.setLevel(self._before)
