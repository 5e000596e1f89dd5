"""How far relevance can be trusted: of the photos that are shown with a relevance, how many are right.

    python benchmarks/relevance.py DATA             # Sketchy's and QuickDraw's validation classes
    python benchmarks/relevance.py DATA --unseen    # Sketchy's unseen classes alone: for a final table only
    python benchmarks/relevance.py DATA --fit       # print the numbers of gallery/relevance.py, fitted to these

Drawings, class names and photos are searched for with the look ``both``, in galleries of 30, 100, 1,000 and all other
photos of DATA, with 0, 1, 3, 10 or 25 right ones among them (never more than half), each combination alike. Of each
search the first 25 hits count. A cell is the share of right ones among the hits of that relevance, in percent, and
their number.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from looks import Asked, Part, read
from numpy.typing import NDArray

from sketchseek.caches import cache_folder
from sketchseek.evaluation.vectors.cache import VectorCache
from sketchseek.gallery.relevance import MEASURED, SAMPLE, Background, relevance
from sketchseek.loading import load_model
from sketchseek.neighbours import BLENDS, POOL, look_again, neighbourhoods

GALLERIES = (30, 100, 1000, 10**9)  # photos; the last: all there are
RIGHT = (0, 1, 3, 10, 25)
SHOWN = 25
EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)

Values = NDArray[np.float64]


def searches(part: Part, asked: Asked, queries: int) -> Iterator[tuple[Values, Values, NDArray[np.bool_], int]]:
    """(relevance, deviations above the mean, right or not) of each search's hits, and how many photos there are."""
    for number, (size, right) in enumerate((size, right) for size in GALLERIES for right in RIGHT):
        random = np.random.default_rng(number)
        size = min(size, len(part.others))
        if right > size / 2:
            continue
        for row in random.choice(len(asked.vectors), queries, replace=queries > len(asked.vectors)):
            of_kind = np.flatnonzero(part.labels == asked.labels[row])
            if asked.same is not None:
                of_kind = of_kind[of_kind != asked.same[row]]
            chosen = random.choice(of_kind, min(right, len(of_kind)), replace=False)
            others = random.choice(len(part.others), size - len(chosen), replace=False)
            photos = np.concatenate([part.photos[chosen], part.others[others]])
            sample = photos[random.choice(len(photos), min(SAMPLE, len(photos)), replace=False)]
            query = asked.vectors[row]
            scores = (photos @ query).astype(np.float64)
            pool = np.argsort(-scores, kind="stable")[:POOL]
            values = look_again(photos[pool], query, scores[pool], "both", words=asked.name == "words")
            fits = (neighbourhoods(photos[pool], BLENDS["both"].neighbours) @ query).astype(np.float64)
            likely = relevance(Background(sample.astype(np.float64), len(photos)), query, fits)
            usual = (sample @ query).astype(np.float64)
            shown = np.argsort(-values, kind="stable")[:SHOWN]
            yield (
                likely[shown],
                ((fits - usual.mean()) / max(float(usual.std()), 1e-9))[shown],
                (pool < len(chosen))[shown],
                len(photos),
            )


def row(name: str, likely: Values, right: NDArray[np.bool_]) -> str:
    places = np.clip(np.searchsorted(EDGES, likely, side="right") - 1, 0, len(EDGES) - 2)
    cells = []
    for place in range(len(EDGES) - 1):
        inside = right[places == place]
        cells.append(f"{100 * inside.mean():.0f} ({len(inside):,})" if len(inside) else "-")
    return f"| {name} | {' | '.join(cells)} |"


def fitted(deviations: Values, photos: Values, right: NDArray[np.bool_]) -> Values:
    """The logistic regression: (slope, slope of the logarithm of the number of photos, offset)."""
    features = np.stack([deviations, np.log(photos.clip(*MEASURED)), np.ones(len(deviations))], axis=1)
    found = np.zeros(3)
    for _ in range(50):  # Newton's method
        likely = (1 + np.tanh(features @ found / 2)) / 2
        curvature = (features * (likely * (1 - likely))[:, None]).T @ features + 1e-9 * np.eye(3)
        found += np.linalg.solve(curvature, features.T @ (right - likely))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of sketchy, quickdraw, photos, products and mixed")
    parser.add_argument("--unseen", action="store_true", help="Sketchy's unseen classes: for a final table only")
    parser.add_argument("--fit", action="store_true", help="print the numbers of gallery/relevance.py")
    parser.add_argument("--model", default="default")
    parser.add_argument("--queries", type=int, default=60, help="searches of each kind in each gallery")
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors, as that of sketchseek evaluate")
    arguments = parser.parse_args()
    groups = [("sketchy", "unseen")] if arguments.unseen else [("sketchy", "val"), ("quickdraw", "val")]
    model = load_model(arguments.model, device="cpu")
    ranges = (f"{low:.0%} to {high:.0%}" for low, high in pairwise(EDGES))
    print(f"| relevance | {' | '.join(ranges)} |\n{'|---' * len(EDGES)}|", flush=True)
    parts: list[tuple[Values, Values, NDArray[np.bool_], Values]] = []
    with VectorCache(arguments.cache or cache_folder(), print) as cache:
        for name, group in groups:
            if not (arguments.data / name).is_dir():
                continue
            part = read(arguments.data, name, group, model, cache)
            for asked in part.asked:
                each = list(searches(part, asked, arguments.queries))
                likely, deviations, right = (np.concatenate([one[place] for one in each]) for place in range(3))
                photos = np.repeat([float(one[3]) for one in each], [len(one[0]) for one in each])
                parts.append((likely, deviations, right, photos))
                print(row(f"{part.name}, {asked.name}", likely, right), flush=True)
    if not parts:
        return
    likely, deviations, right, photos = (np.concatenate([part[place] for part in parts]) for place in range(4))
    print(row("all", likely, right))
    if arguments.fit:
        slope, size_slope, offset = fitted(deviations, photos, right)
        print(f"\nSLOPE = {slope:.2f}\nSIZE_SLOPE = {size_slope:.2f}\nOFFSET = {offset:.2f}")


if __name__ == "__main__":
    main()
