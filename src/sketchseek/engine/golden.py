"""A few made inputs and the vectors they must give: whoever computes something else is found out before it is used."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import GOLDEN, EngineError, Precision
from sketchseek.engine.sessions import Session

Golden = Mapping[str, NDArray[Any]]

# The least cosine with the recorded vector. Rounding to 8 bits falls otherwise on processors of another kind.
LEAST: Mapping[Precision, float] = {"fp32": 0.9999, "int8": 0.99}


def read_golden(data: bytes) -> dict[str, NDArray[Any]]:
    """``{graph file}/{input}`` and ``{graph file}/vectors`` -> arrays; never pickles."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError):
        raise EngineError(f"{GOLDEN} holds no arrays: export the model again") from None


def write_golden(arrays: Golden) -> bytes:
    """The bytes of golden.npz; the same arrays give the same bytes."""
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **dict(sorted(arrays.items())))
    return held.getvalue()


def check_golden(session: Session, graph: str, golden: Golden, precision: Precision, provider: str) -> None:
    """Raise a sentence if a graph gives other vectors than it did when it was exported."""
    inputs = {
        name.partition("/")[2]: array
        for name, array in golden.items()
        if name.startswith(f"{graph}/") and not name.endswith("/vectors")
    }
    wanted = golden.get(f"{graph}/vectors")
    if wanted is None:
        raise EngineError(f"{GOLDEN} says nothing of {graph}: export the model again")
    (found,) = session(inputs, ["vectors"])
    cosine = least_cosine(found, wanted)
    if not cosine >= LEAST[precision]:  # NaN is found out too
        raise EngineError(
            f"the execution provider {provider} computes wrong vectors with this model (golden test of {graph}: cosine "
            f"{cosine:.4f}): set SKETCHSEEK_PROVIDER to another one, or export the model again"
        )


def least_cosine(some: NDArray[Any], others: NDArray[Any]) -> float:
    """The least cosine between rows (..., size) of equal place; NaN where the shapes differ."""
    if some.shape != others.shape:
        return float("nan")
    first, second = some.astype(np.float64), others.astype(np.float64)
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(((first * second).sum(axis=-1) / lengths).min())
