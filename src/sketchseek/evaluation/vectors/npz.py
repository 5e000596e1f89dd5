"""Vectors of any model from an ``.npz`` file: checked before anything is computed, never unpickled, limited in size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.arrays import ArraysError, read_arrays
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.similarity import BLOCK_NUMBERS

#: Limit for the unpacked arrays of a file, in bytes: a small file can unpack to any size.
MAX_BYTES = 4 << 30


@dataclass(frozen=True)
class VectorSet:
    """Vectors with what is known about each row; ``source`` is the file, for messages."""

    source: str
    vectors: NDArray[np.generic]  # (n, d) numbers, finite, no row zero
    labels: NDArray[np.generic]  # (n,) whole numbers or words: the class
    instances: NDArray[np.generic] | None  # (n,) the photo a sketch was drawn from, or the photo itself
    names: NDArray[np.str_] | None  # (n,) a name of the row: a file, a title

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> str:
        """How a message names a row."""
        return f"row {index} (counted from 0)" if self.names is None else f"row {index} ({self.names[index]})"


def load_vectors(path: Path) -> VectorSet:
    """Read ``vectors`` (n, d), ``labels`` (n,) and, if present, ``instances`` and ``names`` (n,)."""
    arrays = _read(path, ("vectors", "labels", "instances", "names"))
    for name in ("vectors", "labels"):
        if name not in arrays:
            raise SketchseekError(
                f"{path} has no array {name!r}; write it with numpy.savez(file, vectors=..., labels=...)"
            )
    vectors = arrays["vectors"]
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or vectors.size == 0:
        raise SketchseekError(
            f"'vectors' in {path} is {vectors.dtype} of shape {vectors.shape};"
            " it must be real numbers of shape (rows, size), not empty"
        )
    columns = {
        name: _column(path, name, array, len(vectors), words_only=name == "names")
        for name, array in arrays.items()
        if name != "vectors"
    }
    names = columns.get("names")
    vector_set = VectorSet(
        str(path),
        vectors,
        columns["labels"],
        columns.get("instances"),
        None if names is None else names.astype(np.str_),
    )
    _check_rows(vector_set)
    return vector_set


def check_pair(queries: VectorSet, gallery: VectorSet, *, instances: bool) -> None:
    """Reject two sets that cannot be compared."""
    sizes = queries.vectors.shape[1], gallery.vectors.shape[1]
    if sizes[0] != sizes[1]:
        raise SketchseekError(
            f"vectors of {queries.source} have size {sizes[0]} and those of {gallery.source} size {sizes[1]};"
            " encode both with the same model"
        )
    _check_same_kind("labels", queries.source, queries.labels, gallery.source, gallery.labels)
    if not np.isin(queries.labels, gallery.labels).any():
        raise SketchseekError(
            f"{queries.source} and {gallery.source} have no label in common; use the same class names in both"
        )
    if instances:
        for one in (queries, gallery):
            if one.instances is None:
                raise SketchseekError(
                    f"{one.source} has no array 'instances'; add the photo's name of each row, or use --by label"
                )
        assert queries.instances is not None and gallery.instances is not None
        _check_same_kind("instances", queries.source, queries.instances, gallery.source, gallery.instances)


def _read(path: Path, array_names: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise SketchseekError(f"there is no file {path}; name an .npz file")
    try:
        return read_arrays(path, limit=MAX_BYTES, names=array_names)
    except ArraysError as error:
        raise SketchseekError(f"{path} {error}") from None


def _column(path: Path, name: str, array: NDArray[np.generic], rows: int, *, words_only: bool) -> NDArray[np.generic]:
    """One value per row; bytes become words."""
    allowed, kind = ("US", "words") if words_only else ("iuUS", "whole numbers or words")
    if array.dtype.kind not in allowed or array.shape != (rows,):
        raise SketchseekError(
            f"{name!r} in {path} is {array.dtype} of shape {array.shape};"
            f" it must be {kind}, one for each of the {rows} vectors"
        )
    if array.dtype.kind in "iu":
        # One type: else comparing two files could convert to float64, where different large numbers become equal.
        if array.max() > np.iinfo(np.int64).max:
            raise SketchseekError(
                f"{name!r} in {path} holds numbers of 2^63 or more; write them as words, with astype(str)"
            )
        return array.astype(np.int64)
    try:
        words = np.char.decode(array.astype(np.bytes_), "utf-8") if array.dtype.kind == "S" else array.astype(np.str_)
    except UnicodeDecodeError:
        words = None
    if words is None or not _printable(words):
        raise SketchseekError(f"{name!r} in {path} holds words that are not UTF-8; write them with astype(str)")
    return words


def _printable(words: NDArray[np.str_]) -> bool:
    """Whether all characters are valid: an array on disk can hold any number as a character."""
    points = np.frombuffer(words.tobytes(), np.uint32)
    return not ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any()


def _check_same_kind(
    what: str, left_source: str, left: NDArray[np.generic], right_source: str, right: NDArray[np.generic]
) -> None:
    if (left.dtype.kind == "U") != (right.dtype.kind == "U"):
        words, numbers = (left_source, right_source) if left.dtype.kind == "U" else (right_source, left_source)
        raise SketchseekError(f"{what!r} are words in {words} and numbers in {numbers}; write the same values to both")


def _check_rows(vector_set: VectorSet) -> None:
    step = max(1, BLOCK_NUMBERS // vector_set.vectors.shape[1])
    for start in range(0, len(vector_set.vectors), step):
        block = vector_set.vectors[start : start + step]
        for bad, what in (
            (~np.isfinite(block).all(axis=1), "holds NaN or infinity"),
            (~block.any(axis=1), "is all zeros"),
        ):
            if bad.any():
                row = vector_set.row(start + int(np.argmax(bad)))
                raise SketchseekError(
                    f"in {vector_set.source} the vector of {row} {what}, so it has no direction;"
                    " encode it again or remove it"
                )
