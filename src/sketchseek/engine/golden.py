"""Golden vectors: the results of a few generated inputs, by which a graph is tested before it is used."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.arrays import ArraysError, read_arrays
from sketchseek.engine.folder import GOLDEN, EngineError, Precision
from sketchseek.engine.sessions import Session

Golden = Mapping[str, NDArray[Any]]

MAX_BYTES = 256 * 2**20  # of all golden arrays; those of the largest CLIP have less than 10 MB

# The least cosine with the recorded vector; 8-bit arithmetic rounds differently on other processors.
LEAST: Mapping[Precision, float] = {"fp32": 0.9999, "fp16": 0.9999, "int8": 0.99}


def read_golden(data: bytes) -> dict[str, NDArray[Any]]:
    """``{graph file}/{input}`` and ``{graph file}/{output}`` -> arrays; never pickles."""
    try:
        return dict(read_arrays(io.BytesIO(data), limit=MAX_BYTES))
    except ArraysError:
        raise EngineError(f"{GOLDEN} contains no arrays: export the model again") from None


def write_golden(arrays: Golden) -> bytes:
    """The bytes of golden.npz; the same arrays give the same bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **dict(sorted(arrays.items())))
    return stream.getvalue()


def check_golden(
    session: Session, graph: str, golden: Golden, precision: Precision, provider: str, output: str = "vectors"
) -> None:
    """Raise ``EngineError`` if a graph computes other vectors (or lines, by ``output``) than when it was exported."""
    inputs = {
        name.partition("/")[2]: array
        for name, array in golden.items()
        if name.startswith(f"{graph}/") and not name.endswith(f"/{output}")
    }
    expected = golden.get(f"{graph}/{output}")
    if expected is None or expected.dtype.kind != "f":
        raise EngineError(f"{GOLDEN} has no {output} of {graph}: export the model again")
    (found,) = session(inputs, [output])
    cosine = least_cosine(found, expected) if output == "vectors" else cosine_of_maps(found, expected)
    if not cosine >= LEAST[precision]:  # also true for NaN
        raise EngineError(
            f"the execution provider {provider} computes wrong {output} with this model (golden test of {graph}: "
            f"cosine {cosine:.4f}): set SKETCHSEEK_PROVIDER to another one, or export the model again"
        )


def cosine_of_maps(some: NDArray[Any], others: NDArray[Any]) -> float:
    """The least cosine between corresponding maps (n, height, width), each as one row of numbers."""
    if some.shape != others.shape:
        return float("nan")
    return least_cosine(some.reshape(len(some), -1), others.reshape(len(others), -1))


def least_cosine(some: NDArray[Any], others: NDArray[Any]) -> float:
    """The least cosine between corresponding rows (..., size); NaN if the shapes differ or there is no number."""
    if some.shape != others.shape or some.size == 0:
        return float("nan")
    first, second = some.astype(np.float64), others.astype(np.float64)
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(((first * second).sum(axis=-1) / lengths).min())
