"""Pictures in 8 bits: as much of a graph computes with whole numbers as a measurement finds harmless."""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.export.material import Material
from sketchseek.engine.export.measure import encode, map_all
from sketchseek.engine.export.weights import store_in_8_bits
from sketchseek.engine.sessions import OrtSession

#: What computes with whole numbers, the fastest choice first; nothing means that weights alone are stored in 8 bits.
CHOICES: tuple[tuple[str, ...], ...] = (("Conv", "MatMul"), ("Conv",), ())
TOLERATED = 0.5  # points of mAP@all
_BATCH = 8

Pixels = NDArray[np.uint8]
Pair = tuple[bytes, bytes]  # the graphs of photos and of sketches; often the same


@dataclass(frozen=True)
class Rounded:
    """Graphs in 8 bits and what rounding cost: mAP@all in points before and after."""

    graphs: Pair
    whole: tuple[str, ...]
    before: float
    after: float


def round_pictures(graphs: Pair, material: Material, choices: Sequence[tuple[str, ...]] = CHOICES) -> Rounded:
    """The first of ``choices`` that costs at most ``TOLERATED`` points, or else the one that costs least."""
    before = _measured(graphs, material)
    best: Rounded | None = None
    for whole in choices:
        rounded = _rounded(graphs, material, whole)
        found = Rounded(rounded, whole, before, _measured(rounded, material))
        if best is None or found.after > best.after:
            best = found
        if before - found.after <= TOLERATED:
            return found
    assert best is not None, "there is a choice"
    return best


def _rounded(graphs: Pair, material: Material, whole: tuple[str, ...]) -> Pair:
    photo, sketch = graphs
    if photo == sketch:
        both = _round(photo, np.concatenate((material.seen_photos, material.seen_sketches)), whole)
        return both, both
    return _round(photo, material.seen_photos, whole), _round(sketch, material.seen_sketches, whole)


def _measured(graphs: Pair, material: Material) -> float:
    photo, sketch = graphs
    first = OrtSession(photo, "CPU", 0)
    second = first if sketch == photo else OrtSession(sketch, "CPU", 0)
    return map_all(encode(second, material.sketches), encode(first, material.photos), material)


def _round(graph: bytes, seen: Pixels, whole: tuple[str, ...]) -> bytes:
    """A graph whose operators ``whole`` take and give 8-bit numbers; their ranges are those that ``seen`` has."""
    if not whole:
        return store_in_8_bits(graph)
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        paths = Path(folder) / "whole.onnx", Path(folder) / "rounded.onnx"
        paths[0].write_bytes(graph)
        quantize_static(
            *map(str, paths),
            _Feed(seen),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(whole),
            per_channel=True,
            # 7 bits for weights: on processors without VNNI, products of 8 by 8 bits overflow unseen.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return store_in_8_bits(paths[1].read_bytes())


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
