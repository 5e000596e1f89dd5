"""What indexing, copying and choosing a model require of a store; write a class with these methods to add a store.

In all of them ``model`` is the ``row`` of a ``ModelSet``, ``content`` the number that the store gives to a content (all
files of the same bytes are one content), ``digest`` the hash of its bytes. Paths are absolute, as bytes.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.records import KnownFile, ModelSet


class ModelSets(Protocol):
    """The models whose vectors a store has."""

    @property
    def folder(self) -> Path | str:
        """The gallery's folder or address, for messages."""

    def models(self) -> list[ModelSet]:
        """All sets of vectors."""

    def current_model(self) -> ModelSet | None:
        """The set that is searched by default: of those with vectors that of the last ``use_model``.

        None if there are no sets.
        """


class KnownFiles(ModelSets, Protocol):
    """The folders and files that a store has."""

    def folders(self) -> dict[bytes, int]:
        """folder -> device, of the added folders that this machine can reach."""

    def known(self, folder: bytes, model: int) -> dict[bytes, KnownFile]:
        """path -> file, of all files under ``folder``, failed ones included."""


class Store(KnownFiles, Protocol):
    """Files, contents and vectors. Methods that write are called inside ``batch``."""

    def content(self, digest: bytes, model: int) -> tuple[int, bool] | None:
        """(content, whether it has a vector of ``model``); None if the hash is new."""

    def paths(self, content: int) -> list[bytes]:
        """The files of a content."""

    def missing(self, model: int) -> int:
        """How many contents with a file have no vector of ``model``."""

    def batch(self) -> AbstractContextManager[None]:
        """A block whose writes become visible together at its end, or not at all if it raises."""

    def add_folder(self, path: bytes, device: int) -> None:
        """Remember that a folder was indexed, and the device (``st_dev``) it is on."""

    def add_content(self, digest: bytes, width: int, height: int, taken: str | None) -> int:
        """The number of a content, a new one if the hash is new; size in px, ``taken`` as an ISO date and time."""

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32]) -> None:
        """Store a vector (size,) of length 1, as half floats; keep an earlier one of the same content and model."""

    def set_file(self, path: bytes, size: int, mtime_ns: int, content: int | None, failure: str | None) -> None:
        """Add or replace a file. It has either a content or a failure: the reason why it could not be read."""

    def set_devices(self, devices: Mapping[bytes, int]) -> None:
        """Remember the device that each of these files is on; a store that several machines share may do nothing.

        ``set_file`` forgets a file's device. Of a file whose device ``known`` returns, indexing can tell whether it was
        deleted or its drive is away.
        """

    def remove_files(self, paths: Iterable[bytes]) -> None:
        """Remove these files; their contents stay until ``drop_orphans``."""

    def drop_orphans(self) -> None:
        """Remove contents without a file, and their vectors."""

    def use_model(self, model: int) -> None:
        """Search this set by default from now on."""


class LinesStore(Store, Protocol):
    """A store that also keeps the outlines of photos beside their vectors (see ``model.LinesModel``)."""

    def add_vector(self, model: int, content: int, vector: NDArray[np.float32], lines: bytes | None = None) -> None:
        """See ``Store``; an earlier vector that has no outlines stays and is given these."""

    def without_lines(self, model: int) -> set[int]:
        """The contents that have a vector of ``model`` without outlines, which could be kept."""


class FactsStore(Store, Protocol):
    """A store that also keeps, for every content, the camera that took it and its colours."""

    def add_facts(self, content: int, camera: str | None, colours: bytes) -> None:
        """``colours`` as ``colours.pack`` makes them; earlier facts of the same content stay."""

    def without_facts(self) -> set[int]:
        """The contents without these facts, which could be kept."""


def keeps_facts(store: Store) -> TypeGuard[FactsStore]:
    """Whether a store is a ``FactsStore``."""
    return hasattr(store, "without_facts")


def keeps_lines(store: Store) -> TypeGuard[LinesStore]:
    """Whether a store is a ``LinesStore``."""
    return hasattr(store, "without_lines")
