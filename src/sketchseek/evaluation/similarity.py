"""Exact cosines, so that a ranking does not depend on how the matrix product was split or ordered.

The last bits of a float32 matrix product depend on the block size, the position in the block and the BLAS library; so
a photo that is in the gallery twice may get two different scores. Here rows are rounded to the grid of 2^-26 first. A
product of two coordinates is then a multiple of 2^-52, and by Cauchy-Schwarz every partial sum, in whatever order,
stays below 2: each fits the 53 bits of a float64, nothing is ever rounded, and the sum is *the* sum. The price is a
float64 product (twice the time of float32); rounding the rows moves a score by about 1e-8, less than float32 does.
"""

import numpy as np
from numpy.typing import NDArray

ROW_BITS = 26
BLOCK_NUMBERS = 1 << 18  # converted at a time: bounds the temporaries


def unit_rows(vectors: NDArray[np.generic], rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Rows of length 1 on the grid of 2^-26, float64 (n, d); ``rows`` picks and orders them.

    Every row must be finite and not zero. A row's result never depends on the other rows, and the matrix product of two
    such arrays is exact.
    """
    count = len(vectors) if rows is None else len(rows)
    units = np.empty((count, vectors.shape[1]), np.float64)
    step = max(1, BLOCK_NUMBERS // vectors.shape[1])
    for start in range(0, count, step):
        part = slice(start, start + step)
        block = np.ascontiguousarray(vectors[part] if rows is None else vectors[rows[part]], np.float64)
        block = block / np.abs(block).max(axis=1, keepdims=True)  # so that squares neither overflow nor vanish
        block /= np.sqrt((block * block).sum(axis=1, keepdims=True))
        block *= 2.0**ROW_BITS
        np.multiply(np.rint(block, out=block), 2.0**-ROW_BITS, out=units[part])
    return units
