"""The slow, obvious version of everything: sort the whole list, walk down it, follow the definitions word by word."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.evaluation.similarity import unit_rows
from sketchseek.neighbours import Look, look_again


def steps(query: NDArray[np.generic], photo: NDArray[np.generic]) -> int:
    """The cosine in steps of 2^-24, in Python's whole numbers: no rounding but the last one."""
    left, right = ([int(x * 2**26) for x in unit_rows(vector[None])[0]] for vector in (query, photo))
    return round(sum(a * b for a, b in zip(left, right, strict=True)) / 2**28)


def ranked(scores: Sequence[int], relevant: Sequence[bool]) -> list[bool]:
    """The list from best to worst as right or wrong; of equal scores the wrong ones come first."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], relevant[i]))
    return [relevant[i] for i in order]


def oracle(hits: Sequence[bool], ks: Sequence[int]) -> dict[str, float]:
    """Every metric of one ranked list that holds at least one right photo."""
    total = sum(hits)
    found = {
        "map@all": precisions_at_hits(hits) / total,
        "map@all:interpolated": voc_area(hits, total),
        "r_precision": sum(hits[:total]) / total,
        "mean_rank": float(hits.index(True) + 1),
    }
    for k in ks:
        head, reachable = hits[:k], min(k, total)
        found |= {
            f"map@{k}:voc": voc_area(head, reachable),
            f"map@{k}:hits": precisions_at_hits(head) / sum(head) if any(head) else 0.0,
            f"map@{k}:k": precisions_at_hits(head) / k,
            f"map@{k}:min": precisions_at_hits(head) / reachable,
            f"p@{k}": sum(head) / k,
            f"p@{k}:min": sum(hits[:reachable]) / reachable,
            f"acc@{k}": float(any(head)),
        }
    return found


def precisions_at_hits(hits: Sequence[bool]) -> float:
    return sum(sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit)


def voc_area(hits: Sequence[bool], total: int) -> float:
    """Area under precision over recall, with precision made monotone from the right, as in the VOC challenges."""
    recall = [0.0, *(sum(hits[: i + 1]) / total for i in range(len(hits))), 1.0]
    precision = [0.0, *(sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))), 0.0]
    for i in reversed(range(len(precision) - 1)):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i + 1] - recall[i]) * precision[i + 1] for i in range(len(recall) - 1))


def looked_again(
    scores: Sequence[int],
    photos: NDArray[np.generic],
    query: NDArray[np.generic],
    look: Look,
    pool: int,
    fits: NDArray[np.float64] | None = None,
) -> list[int]:
    """The scores with those of the pool, always ahead, taken from the second look; equal photos get equal ones."""
    bar = sorted(scores, reverse=True)[pool] if len(scores) > pool else -(2**30)
    rows = [unit_rows(photo[None])[0] for photo in photos]
    inside = sorted((i for i in range(len(scores)) if scores[i] > bar), key=lambda i: (-scores[i], rows[i].tobytes()))
    if not inside:
        return list(scores)
    cosines = np.array([scores[i] / 2**24 for i in inside])
    likeness = None if fits is None else fits[inside]
    values = look_again(
        np.array([rows[i] for i in inside]), unit_rows(query[None])[0], cosines, look, likeness=likeness
    )
    found, value_of = list(scores), dict[bytes, float]()
    for i, value in zip(inside, values, strict=True):
        value = value_of.setdefault(rows[i].tobytes(), float(value))
        found[i] = 2**24 + 1 + round((value - min(0.0, float(values.min()))) * 2**16)
    return found
