"""What a drawing may be: names from the vector of a drawing, for models that have learned names."""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sketchseek.arrays import ArraysError, read_arrays
from sketchseek.engine.folder import GUESSES, EngineError

MOST = 5  # names for a drawing
MAX_BYTES, MAX_NAMES, MAX_NAME = 64 * 2**20, 10_000, 60


@dataclass(frozen=True)
class Guesses:
    """A linear map from vectors to names.

    ``names``: n of them. ``weights`` (n, size), ``bias`` (n,): the softmax of ``weights @ vector + bias`` is how likely
    each name is. ``given`` (n,): false for what no one looks for: a line or a circle, as many drawings begin.
    ``least``: no name is given unless the likeliest ``MOST`` together are at least this likely.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    given: NDArray[np.bool_]
    least: float

    def of(self, vectors: NDArray[np.float32]) -> list[list[str]]:
        """At most ``MOST`` names for each vector of (n, size), likeliest first; none where they are not likely enough.

        Names less than a tenth as likely as the first one are left out.
        """
        found = []
        for shares in self.likely(vectors) * self.given:
            best = np.argsort(-shares, kind="stable")[:MOST]
            if shares[best].sum() < self.least:
                best = best[:0]
            found.append([self.names[row] for row in best if shares[row] >= shares[best[0]] / 10 and self.given[row]])
        return found

    def likely(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """How likely each name is, (n, names); a row sums to 1."""
        scores = vectors.astype(np.float64) @ self.weights.T + self.bias
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def to_bytes(self) -> bytes:
        """The content of guesses.npz."""
        stream = io.BytesIO()
        arrays = {
            "names": np.array(self.names),
            "weights": self.weights.astype(np.float16),
            "bias": self.bias.astype(np.float32),
            "given": self.given,
            "least": np.array(self.least),
        }
        np.savez_compressed(stream, allow_pickle=False, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> Self:
        """From ``to_bytes``, for vectors of ``size`` numbers; raises ``EngineError`` if it is damaged."""
        try:
            arrays = read_arrays(io.BytesIO(data), limit=MAX_BYTES)
            names = tuple(str(name) for name in arrays["names"])
            weights, bias = arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32)
            given, least = arrays["given"].astype(np.bool_), float(arrays["least"])
        except (ArraysError, KeyError, TypeError, ValueError):
            raise EngineError(f"{GUESSES} is damaged: get or export the model again") from None
        fits = weights.shape == (len(names), size) and bias.shape == given.shape == (len(names),)
        sound = fits and np.isfinite(weights).all() and np.isfinite(bias).all() and 0 <= least <= 1
        sound = sound and 1 <= len(names) <= MAX_NAMES
        if not sound or not all(name.isprintable() and 1 <= len(name) <= MAX_NAME for name in names):
            raise EngineError(f"{GUESSES} does not fit the model: get or export the model again")
        return cls(names, weights, bias, given, least)
