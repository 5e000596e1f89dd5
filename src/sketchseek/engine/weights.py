"""Files of tensors (safetensors), read and written without that package: the weights that graphs share."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import FileFacts
from sketchseek.errors import SketchseekError
from sketchseek.untrusted import parse_json

Load = Callable[[], NDArray[Any]]

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
PADDING = "padding."  # before the names of tensors that only fill a gap
_ALIGNMENT = 64  # bytes: a line of the processor's cache


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in a file, from byte ``start`` to ``end``, and what it is; ``kind`` is safetensors' name."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int


def header_length(first: bytes, size: int) -> int:
    """The bytes before the tensors of a file of ``size`` bytes that begins with ``first``; ValueError if cut off."""
    length = int.from_bytes(first[:8], "little")
    if len(first) < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
        raise ValueError("its header is cut off")
    return 8 + length


def read_header(head: bytes, size: int) -> dict[str, Place]:
    """The tensors of a file of ``size`` bytes by name, from the bytes before them; ValueError or alike if damaged."""
    found = {}
    for name, facts in parse_json(head[8:]).items():
        if name == "__metadata__":
            continue
        kind, shape, (start, end) = str(facts["dtype"]), tuple(facts["shape"]), facts["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (start, end, *shape))
        if not whole or not start <= end <= size - len(head):
            raise ValueError(f"{name[:40]} lies outside the file")
        found[name] = Place(kind, shape, len(head) + start, len(head) + end)
    return found


@dataclass(frozen=True)
class SharedWeights:
    """The content of a file of tensors, and its name, by which graphs refer to it."""

    file: str
    data: NDArray[np.uint8]

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Tensors by name, without a copy of their bytes."""
        try:
            head = self.data[: header_length(self.data[:8].tobytes(), len(self.data))].tobytes()
            return {
                name: self.data[place.start : place.end].view(TYPES[place.kind]).reshape(place.shape)
                for name, place in read_header(head, len(self.data)).items()
            }
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:100]
            raise SketchseekError(f"{self.file} is no file of tensors ({reason}): convert the model again") from None


class WeightFile:
    """A file of tensors to write: first they are announced, later loaded and written one at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loads: dict[str, Load] = {}
        self._facts: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def add(self, name: str, kind: Any, shape: tuple[int, ...], load: Load) -> None:
        """Announce a tensor; graphs that share it announce the same name."""
        self._facts[name] = np.dtype(kind), shape
        self._loads[name] = load

    def facts(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Type and shape of a tensor."""
        return self._facts[name]

    def places(self) -> dict[str, tuple[int, int]]:
        """Where in the file each tensor lies: (offset, length) in bytes."""
        return _header_of(self._facts)[1]

    def size(self) -> int:
        """The bytes that the file will have."""
        first, places = _header_of(self._facts)
        return max((start + length for start, length in places.values()), default=len(first))

    def write(self, folder: Path) -> FileFacts:
        """Write the file."""
        first, places = _header_of(self._facts)
        digest, end = hashlib.sha256(), 0
        with (folder / self.name).open("wb") as file:

            def put(data: Any) -> None:
                nonlocal end
                digest.update(data)
                end += file.write(data)

            put(first)
            for name, (kind, shape) in self._facts.items():
                values = np.ascontiguousarray(self._loads[name](), kind)
                assert values.shape == shape, f"{name}: {values.shape} is not {shape}"
                put(b"\0" * (places[name][0] - end))
                put(values.reshape(-1).view(np.uint8).data)
                del values  # before the next one is loaded
        return FileFacts(end, digest.hexdigest())


def _header_of(
    tensors: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]],
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The first bytes of a file with these tensors, and where in the file each one lies: (offset, length) in bytes."""
    names = {kind: name for name, kind in TYPES.items()}
    table: dict[str, Any] = {}
    end = 0
    for name, (kind, shape) in tensors.items():
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        if start > end:  # safetensors forbids gaps
            table[f"{PADDING}{end}"] = {"dtype": "U8", "shape": [start - end], "data_offsets": [end, start]}
        end = start + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        table[name] = {"dtype": names[kind], "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-(8 + len(header)) % _ALIGNMENT)
    first = len(header).to_bytes(8, "little") + header
    places = {name: (len(first) + table[name]["data_offsets"][0], _length(table[name])) for name in tensors}
    return first, places


def _length(facts: Mapping[str, Any]) -> int:
    start, end = facts["data_offsets"]
    return int(end - start)
