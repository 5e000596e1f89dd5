"""What indexing needs of a store, whatever it is made of."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.records import Known, ModelSet


class ModelSets(Protocol):
    """Whose vectors a store holds."""

    @property
    def folder(self) -> Path | str:
        """What messages call the gallery."""

    def models(self) -> list[ModelSet]: ...

    def current_model(self) -> ModelSet | None: ...


class Files(Protocol):
    """Which files a store knows."""

    def known(self, folder: bytes, model: int) -> dict[bytes, Known]: ...


class Store(ModelSets, Files, Protocol):
    """Files, contents and vectors; ``Writer`` says what each of these does. Paths are absolute."""

    def folders(self) -> dict[bytes, int]: ...

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None: ...

    def paths(self, content: int) -> list[bytes]: ...

    def missing(self, model: int) -> int: ...

    def batch(self) -> AbstractContextManager[None]: ...

    def add_folder(self, path: bytes, device: int) -> None: ...

    def add_content(self, digest: bytes, width: int, height: int, taken: str | None) -> int: ...

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32]) -> None: ...

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None: ...

    def remove_files(self, paths: Iterable[bytes]) -> None: ...

    def drop_orphans(self) -> None: ...

    def use_model(self, model: int) -> None: ...
