"""The tensors of a published checkpoint: read from safetensors one at a time, never all at once."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError

Array = NDArray[np.float32]

_FLOATS = ("F64", "F32", "F16", "BF16")


class ConvertError(EngineError):
    """Published weights that cannot become a model folder."""


def missing_package(error: ImportError) -> ConvertError:
    """The error to raise if a package of the extra ``clip`` cannot be imported."""
    return ConvertError(
        f"converting published weights needs the package {error.name}: run pip install 'sketchseek[clip]'"
    )


class Checkpoint:
    """Tensors by name in one or several files of safetensors; a context manager."""

    def __init__(self, paths: Sequence[Path]) -> None:
        try:
            import ml_dtypes  # noqa: F401 - teaches numpy the type bfloat16
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise missing_package(error) from None
        self.path = paths[0]
        self._stack = ExitStack()
        self._files: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in paths:
            try:
                file = self._stack.enter_context(safe_open(path, framework="numpy"))
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    piece = file.get_slice(name)
                    if piece.get_dtype() in _FLOATS:
                        self.shapes[name] = tuple(piece.get_shape())
                        self._files[name] = file
            except OSError as error:
                raise ConvertError(f"{path} cannot be read: {error.strerror or error}") from None
            except SafetensorError as error:
                raise ConvertError(f"{path} is damaged or incomplete: download it again ({error})") from None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, name: str) -> Array:
        """A tensor as float32; an error if it has values that are not finite."""
        values: Array = self._files[name].get_tensor(name).astype(np.float32)
        if not np.isfinite(values).all():
            raise ConvertError(f"{self.path}: {name} contains values that are not finite: download it again")
        return values
