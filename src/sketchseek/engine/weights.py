"""A file of tensors that several graphs of a model folder share: safetensors, read without that package."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.untrusted import parse_json

# The names of types in safetensors that the graphs of a model folder use.
TYPES: Mapping[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "BOOL": np.dtype("?"),
}
MAX_HEADER = 16 * 2**20  # bytes; a thousand tensors need a tenth of one


@dataclass(frozen=True)
class SharedWeights:
    """The content of a file of tensors, and its name, by which graphs refer to it."""

    file: str
    data: NDArray[np.uint8]

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Tensors by name, without a copy of their bytes."""
        try:
            return dict(_tensors(self.data))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:100]
            raise SketchseekError(f"{self.file} is no file of tensors ({reason}): convert the model again") from None


def _tensors(data: NDArray[np.uint8]) -> "list[tuple[str, NDArray[Any]]]":
    length = int.from_bytes(data[:8].tobytes(), "little")
    if len(data) < 8 or not 2 <= length <= min(MAX_HEADER, len(data) - 8):
        raise ValueError("its header is cut off")
    body = data[8 + length :]
    found = []
    for name, facts in parse_json(data[8 : 8 + length].tobytes()).items():
        if name == "__metadata__":
            continue
        start, end = facts["data_offsets"]
        kind, shape = TYPES[facts["dtype"]], tuple(facts["shape"])
        if not all(type(number) is int and number >= 0 for number in (start, end, *shape)) or end > len(body):
            raise ValueError(f"{name[:40]} lies outside the file")
        found.append((name, body[start:end].view(kind).reshape(shape)))
    return found


def header_of(tensors: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The first bytes of a file with these tensors, and where in the file each one lies: (offset, length) in bytes."""
    names = {kind: name for name, kind in TYPES.items()}
    table: dict[str, Any] = {}
    end = 0
    for name, (kind, shape) in tensors.items():
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        if start > end:  # safetensors forbids gaps
            table[f"padding.{end}"] = {"dtype": "U8", "shape": [start - end], "data_offsets": [end, start]}
        end = start + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        table[name] = {"dtype": names[kind], "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-(8 + len(header)) % _ALIGNMENT)
    first = len(header).to_bytes(8, "little") + header
    places = {name: (len(first) + table[name]["data_offsets"][0], _length(table[name])) for name in tensors}
    return first, places


_ALIGNMENT = 64  # bytes: a line of the processor's cache


def _length(facts: Mapping[str, Any]) -> int:
    start, end = facts["data_offsets"]
    return int(end - start)
