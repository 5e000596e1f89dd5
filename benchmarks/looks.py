"""What each look at the neighbours gives: alone among the classes asked for, and among photos of other things.

    python benchmarks/looks.py DATA            # Sketchy's and QuickDraw's validation classes
    python benchmarks/looks.py DATA --unseen   # also Sketchy's unseen classes: for a final table only

Drawings, class names and photos are the queries. *Alone*, the gallery is the photos of the classes: mAP@all and, within
a class, acc@1 and acc@5 of the photo that was drawn, as the protocol fine-grained has it and in the order of a search,
which ranks all classes together. A photo as a query is not in its gallery. *Among others*, the gallery is r photos of
the query's class, drawn ``--draws`` times, and all photos of DATA that show something else: the share of queries with a
right photo among the first ten, and the mean share of the right ones (at most ten) among the first ten. "drawn" is the
very photo of the drawing as the only right one. At most 25 drawings and 25 photos of a class are queries.

Looks use the gallery: they compare its photos with each other, but never queries. A cell is the mean and its 95%
interval in percent; photos are resampled with their drawings, and classes where words are the queries. The last column
is the difference of ``both`` from ``direct`` on the same resamples.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.caches import cache_folder
from sketchseek.datasets import gallery, open_dataset, queries, select_classes
from sketchseek.evaluation.bootstrap import bootstrap_interval
from sketchseek.evaluation.ranking import Ranks, rank_relevant
from sketchseek.evaluation.relevance import Relevance, by_instance, by_label
from sketchseek.evaluation.scoring import score
from sketchseek.evaluation.second_look import Outlines
from sketchseek.evaluation.subset import Rule
from sketchseek.evaluation.vectors.cache import Kind, VectorCache
from sketchseek.evaluation.vectors.encoding import encode_files
from sketchseek.loading import load_model
from sketchseek.model import Model, has_lines
from sketchseek.neighbours import LOOKS, POOL, Look
from sketchseek.outlines import SIDE
from sketchseek.pictures import PHOTO_SUFFIXES, ink_map, load_sketch
from sketchseek.wording import canonical

OTHERS = ("photos", "products/photo", "mixed/photo", "quickdraw/photo")
RIGHT = (1, 3, 10, 25)
FIRST = 10
NEAR = POOL + 100  # of the other photos, only the nearest to a query can enter its pool
RESAMPLES = 1000
MOST_ASKED = Rule("queries", most=25)  # of a class
#: Folders of other photos that show a class under another name, beside those that photos.csv marks.
ALIKE = {
    "beach": ("lakeside", "sandbar", "seashore"),
    "binoculars": ("binocular",),
    "dumbbell": ("barbell",),
    "fan": ("ceiling_fan",),
    "laptop": ("notebook",),
    "lighthouse": ("beacon",),
    "popsicle": ("ice_lolly",),
    "van": ("minivan", "moving_van", "police_van"),
}

Vectors = NDArray[np.float32]
Values = NDArray[np.float64]
Rows = NDArray[np.intp]
NONE = np.empty(0, np.intp)


@dataclass(frozen=True)
class Asked:
    """Queries of one kind."""

    name: str
    vectors: Vectors  # (n, d)
    labels: NDArray[np.str_]  # (n,)
    units: Rows  # (n,) what is resampled
    drawn: Rows | None = None  # (n,) the row of the photo that each drawing shows, if that is known
    inks: Vectors | None = None  # (n, side, side) of drawings, to lay over the photos' outlines
    same: Rows | None = None  # (n,) the row of the photo that each query is, if queries are photos


@dataclass(frozen=True)
class Part:
    """The photos of a group of classes, what is asked for among them, and photos that show something else."""

    name: str
    photos: Vectors  # (m, d)
    labels: NDArray[np.str_]  # (m,)
    others: Vectors  # (o, d)
    asked: tuple[Asked, ...]
    lines: NDArray[np.uint8]  # (m, bytes) outlines of the photos, (m, 0) if the model has none
    other_lines: NDArray[np.uint8]  # (o, bytes)

    def ranks(
        self, asked: Asked, rows: Rows, photos: Rows, others: Rows, relevance: Relevance, look: Look
    ) -> Iterator[Ranks]:
        """The ranks of some queries among some of the photos and some of the other photos."""
        gallery = np.concatenate([self.photos[photos], self.others[others]])
        laid = None
        if asked.inks is not None and self.lines.shape[1]:
            laid = Outlines(asked.inks[rows], np.concatenate([self.lines[photos], self.other_lines[others]]))
        words = asked.name == "words"
        return rank_relevant(asked.vectors[rows], gallery, relevance, look=look, outlines=laid, words=words)


def read(data: Path, name: str, group: str, model: Model, cache: VectorCache) -> Part:
    """Encode a group of classes of the dataset ``data/name``, and the photos of other things in ``data``."""
    dataset = open_dataset(data / name)
    classes = select_classes(dataset, group)
    shown, drawings = gallery(dataset, classes, "dedup"), MOST_ASKED.keep(queries(dataset, classes), seed=0)
    encode = partial(_encode, model, cache)
    photos = encode("photo", [dataset.file(photo) for photo in shown])
    labels = np.array([photo.label for photo in shown])
    rows = {photo.instance: row for row, photo in enumerate(shown)}
    same = np.array([rows[photo.instance] for photo in MOST_ASKED.keep(shown, seed=0)])
    of_photo = [drawing.instance or drawing.path for drawing in drawings]
    drawn = np.array([rows.get(instance, -1) for instance in of_photo])
    asked = (
        Asked(
            "drawings",
            encode("sketch", [dataset.file(drawing) for drawing in drawings]),
            np.array([drawing.label for drawing in drawings]),
            np.unique(of_photo, return_inverse=True)[1],
            drawn if (drawn >= 0).all() else None,
            np.array([ink_map(load_sketch(dataset.file(drawing)), SIDE) for drawing in drawings], np.float32),
        ),
        Asked(
            "words",
            np.asarray(model.encode_texts([dataset.classes[label] for label in classes]), np.float32),
            np.array(classes),
            np.arange(len(classes)),
        ),
        Asked("photos", photos[same], labels[same], same, same=same),
    )
    names = {*classes, *(canonical(other) for label in classes for other in ALIKE.get(label, ()))}
    files = [dataset.file(photo) for photo in shown], list(_of_other_things(data, names))
    others = encode("photo", files[1])
    if has_lines(model):
        lines, other_lines = (encode("lines", some).astype(np.uint8) for some in files)
    else:
        lines, other_lines = (np.empty((len(some), 0), np.uint8) for some in files)
    return Part(f"{name} {group}", photos, labels, others, asked, lines, other_lines)


def _encode(model: Model, cache: VectorCache, kind: Kind, files: Sequence[Path]) -> Vectors:
    encoded = encode_files(model, kind, files, cache, lambda *_: None, what="pictures", outlines=True)
    for row, reason in encoded.broken.items():
        raise SystemExit(f"{files[row]}: {reason}")
    return encoded.vectors


def _of_other_things(data: Path, classes: set[str]) -> Iterator[Path]:
    for folder in OTHERS:
        marked = set()
        if (table := data / Path(folder).parts[0] / "photos.csv").is_file():
            with table.open(newline="", encoding="utf-8") as file:
                marked = {table.parent / row["photo"] for row in csv.DictReader(file) if row["val_overlap"]}
        for path in sorted((data / folder).glob("*/*")):
            known = canonical(path.parent.name) in classes or path in marked
            if path.suffix.lower() in PHOTO_SUFFIXES and not known:
                yield path


def alone(part: Part, asked: Asked, look: Look) -> dict[str, Values]:
    """Values of each query by metric, in a gallery of the classes' photos."""
    labels, photos, every = part.labels, np.arange(len(part.labels)), np.arange(len(asked.labels))
    if asked.same is not None:
        each = []
        for number, row in enumerate(asked.same):
            rest = np.delete(photos, row)
            relevance = by_label(labels[[row]], labels[rest])
            each.append(_values(part, asked, every[[number]], rest, relevance, look, "map@all"))
        return {"mAP@all": np.concatenate(each)}
    found = {"mAP@all": _values(part, asked, every, photos, by_label(asked.labels, labels), look, "map@all")}
    if asked.drawn is not None:
        own = by_instance(asked.labels, labels, asked.drawn, photos, within_class=True)
        found |= {f"acc@{k}": _values(part, asked, every, photos, own, look, f"acc@{k}") for k in (1, 5)}
        ahead = _of_class_ahead(part, asked, asked.drawn, look)
        found |= {f"acc@{k}, ranked together": (ahead < k).astype(np.float64) for k in (1, 5)}
    return found


def _of_class_ahead(part: Part, asked: Asked, drawn: Rows, look: Look) -> NDArray[np.int64]:
    """How many photos of its class come before the drawn one if all photos are ranked together: (n,)."""
    photos, every = np.arange(len(part.photos)), np.arange(len(asked.labels))
    own = by_instance(asked.labels, part.labels, drawn, photos, within_class=False)
    of_class = by_label(asked.labels, part.labels)
    by_query: list[dict[int, NDArray[np.int64]]] = [{}, {}]
    for ranks_of, relevance in zip(by_query, (own, of_class), strict=True):
        for ranks in part.ranks(asked, every, photos, NONE, relevance, look):
            ranks_of.update(zip(ranks.queries.tolist(), ranks.ranks, strict=True))
    return np.array([(by_query[1][row] < by_query[0][row]).sum() for row in range(len(asked.vectors))])


def _values(
    part: Part, asked: Asked, rows: Rows, photos: Rows, relevance: Relevance, look: Look, metric: str
) -> Values:
    scores = score(part.ranks(asked, rows, photos, NONE, relevance, look), [1, 5])
    return scores.values[:, scores.metrics.index(metric)]


def among_others(part: Part, asked: Asked, look: Look, draws: int) -> dict[str, Values]:
    """Values of each query by what is measured, with few right photos among many others."""
    near = np.argpartition(-(asked.vectors @ part.others.T), min(NEAR, len(part.others) - 1), axis=1)[:, :NEAR]
    scenes = {f"r = {right}": _scenes(part, asked, right, draws) for right in RIGHT}
    if asked.drawn is not None:
        scenes["drawn"] = [(np.flatnonzero(asked.drawn == row), np.array([row])) for row in np.unique(asked.drawn)]
    found: dict[str, Values] = {}
    for name, some in scenes.items():
        sums, times = np.zeros((len(asked.vectors), 2)), np.zeros(len(asked.vectors))
        most = 0
        for rows, chosen in some:
            others = np.unique(near[rows])
            relevance = by_label(np.zeros(len(rows)), np.arange(len(chosen) + len(others)) >= len(chosen))
            for ranks in part.ranks(asked, rows, chosen, others, relevance, look):
                hits = (ranks.ranks <= FIRST).sum(axis=1)
                sums[rows[ranks.queries]] += np.stack([hits > 0, hits / min(len(chosen), FIRST)], axis=1)
            times[rows] += 1
            most = max(most, len(chosen))
        if times.any():  # not if a class has no more photos than are right, and the queries are photos
            sums[times == 0] = np.nan  # a photo that was among the right ones in every draw
            found[f"{name}, found"] = sums[:, 0] / np.maximum(times, 1)
            if most > 1:
                found[f"{name}, share"] = sums[:, 1] / np.maximum(times, 1)
    return found


def _scenes(part: Part, asked: Asked, right: int, draws: int) -> list[tuple[Rows, Rows]]:
    """(rows of queries, rows of the only right photos): ``right`` photos of each class, drawn several times."""
    scenes = []
    for number, label in enumerate(np.unique(asked.labels)):
        rows, photos = np.flatnonzero(asked.labels == label), np.flatnonzero(part.labels == label)
        random = np.random.default_rng([right, number])
        for _ in range(draws if right < len(photos) else 1):
            chosen = random.choice(photos, min(right, len(photos)), replace=False)
            asking = rows if asked.same is None else rows[~np.isin(asked.same[rows], chosen)]
            if len(asking):
                scenes.append((asking, chosen))
    return scenes


def tables(part: Part, draws: int) -> Iterator[str]:
    """The two tables of a part; the first alone if there are no other photos."""
    values = [(one, {look: alone(part, one, look) for look in LOOKS}) for one in part.asked]
    yield table(part, f"alone: {len(part.photos):,} photos", [row for pair in values for row in rows_of(*pair)])
    if len(part.others):
        values = [(one, {look: among_others(part, one, look, draws) for look in LOOKS}) for one in part.asked]
        title = f"among {len(part.others):,} other photos"
        yield table(part, title, [row for pair in values for row in rows_of(*pair)])


def table(part: Part, title: str, rows: Sequence[tuple[str, str, dict[Look, Values], Rows]]) -> str:
    """A table in markdown; rows are (queries, measure, values by look, what is resampled)."""
    head = f"| queries | measure | {' | '.join(LOOKS)} | both less direct |\n{'|---' * (3 + len(LOOKS))}|"
    lines = [
        f"| {queries} | {measure} | {' | '.join(cell(values[look], units) for look in LOOKS)} |"
        f" {cell(values['both'] - values['direct'], units, '+')} |"
        for queries, measure, values, units in rows
    ]
    return "\n".join([f"**{part.name}, {title}**", "", head, *lines, ""])


def cell(values: Values, units: Rows, sign: str = "") -> str:
    """``49.7 [45.1, 54.2]``: the mean in percent and its interval."""
    asked = ~np.isnan(values)
    values, units = values[asked], units[asked]
    low, high = 100 * bootstrap_interval(values[:, None], units, resamples=RESAMPLES, seed=0)[:, 0]
    return f"{100 * values.mean():{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def rows_of(asked: Asked, by_look: dict[Look, dict[str, Values]]) -> list[tuple[str, str, dict[Look, Values], Rows]]:
    return [
        (asked.name, measure, {look: by_look[look][measure] for look in LOOKS}, asked.units)
        for measure in by_look["direct"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of sketchy, quickdraw, photos, products and mixed")
    parser.add_argument("--unseen", action="store_true", help="also Sketchy's unseen classes: for a final table only")
    parser.add_argument("--model", default="default")
    parser.add_argument("--draws", type=int, default=4, help="of the right photos")
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors, as that of sketchseek evaluate")
    arguments = parser.parse_args()
    parts = [("sketchy", "val"), ("quickdraw", "val"), *([("sketchy", "unseen")] if arguments.unseen else [])]
    model = load_model(arguments.model, device="cpu")
    with VectorCache(arguments.cache or cache_folder(), print) as cache:
        for name, group in parts:
            if not (arguments.data / name).is_dir():
                continue
            part = read(arguments.data, name, group, model, cache)
            for text in tables(part, arguments.draws):
                print(text, flush=True)


if __name__ == "__main__":
    main()
