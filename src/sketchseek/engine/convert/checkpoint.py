"""The tensors of a published checkpoint: read from safetensors one at a time, never all at once."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError
from sketchseek.engine.weights import Place, header_length, read_header
from sketchseek.installation import extra_command

Array = NDArray[np.float32]

_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # bytes of a number
_BLOCK = 2**20  # numbers that are converted at once


class ConvertError(EngineError):
    """Published weights that cannot become a model folder."""


def missing_package(error: ImportError) -> ConvertError:
    """The error to raise if a package of the extra ``clip`` cannot be imported."""
    return ConvertError(f"converting published weights needs the package {error.name}; run: {extra_command('clip')}")


class Checkpoint:
    """Tensors of floats by name in one or several files of safetensors; a context manager."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.path = paths[0]
        self._stack = ExitStack()
        self._places: dict[str, tuple[BinaryIO, Place]] = {}
        with ExitStack() as stack:
            for path in paths:
                self._add(path, stack)
            self._stack = stack.pop_all()
        self.shapes = {name: place.shape for name, (_, place) in self._places.items()}

    def _add(self, path: Path, stack: ExitStack) -> None:
        try:
            file = stack.enter_context(path.open("rb"))
            size = path.stat().st_size
            head = file.read(8)
            head += file.read(header_length(head, size) - 8)
            for name, place in read_header(head, size).items():
                if place.kind not in _FLOATS:
                    continue
                if place.end - place.start != math.prod(place.shape) * _FLOATS[place.kind]:
                    raise ValueError(f"{name[:60]} has not the size of its shape")
                self._places[name] = file, place
        except OSError as error:
            raise ConvertError(f"{path} cannot be read: {error.strerror or error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:100]
            raise ConvertError(f"{path} is damaged or incomplete: download it again ({reason})") from None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, name: str) -> Array:
        """A tensor as float32; an error if it has values that are not finite."""
        file, place = self._places[name]
        values = np.empty(math.prod(place.shape), np.float32)
        size = _FLOATS[place.kind]
        file.seek(place.start)
        # In blocks: the table of a quarter of a million words is half of a checkpoint.
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK]
            data = file.read(len(block) * size)
            if len(data) != len(block) * size:
                raise ConvertError(f"{self.path} is damaged or incomplete: download it again ({name[:60]} is cut off)")
            block[:] = _floats(data, place.kind)
            if not np.isfinite(block).all():
                raise ConvertError(f"{self.path}: {name} contains values that are not finite: download it again")
        return values.reshape(place.shape)


def _floats(data: bytes, kind: str) -> NDArray[np.floating]:
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, f"<f{_FLOATS[kind]}")
