"""Compare a dataset with what was published about it, and open its files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sketchseek.datasets.galleries import gallery, queries
from sketchseek.datasets.hashes import Hashes, files_hash, names_hash
from sketchseek.datasets.items import MEANING, Dataset, Drawing, Kind, Photo, Problem
from sketchseek.datasets.splits import known_datasets, known_splits, published_split
from sketchseek.parallel import map_ahead, usable_cores
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, format_of
from sketchseek.pictures.sources import open_source
from sketchseek.wording import canonical

Depth = Literal["names", "beginnings", "pictures"]


@dataclass(frozen=True)
class Count:
    """A number of items in a dataset, with the published number."""

    classes: str  # which: all, or a group of a split as in "sketchy-21:unseen"
    what: str  # classes, sketches, photos, distinct_photos or basic_photos
    here: int
    published: tuple[int, ...] = ()  # two if the published lists and folders differ; none if unknown

    @property
    def agrees(self) -> bool | None:
        """Whether ``here`` is one of the published values; None if nothing was published."""
        return self.here in self.published if self.published else None


@dataclass(frozen=True)
class Check:
    """The result of ``check_dataset``."""

    dataset: Dataset
    depth: Depth
    counts: tuple[Count, ...]
    hashes: tuple[Hashes, ...]  # of each group of classes; of the files where all were decoded
    missing: tuple[str, ...]  # classes of the published dataset that are not here, as published
    problems: tuple[Problem, ...]
    usable: bool  # at least one sketch and one photo open


def check_dataset(
    dataset: Dataset, depth: Depth = "beginnings", opened_one: Callable[[], None] = lambda: None
) -> Check:
    """Count the files; then open no file (``names``), read the first bytes of each, or decode each (``pictures``).

    ``opened_one`` is called after each file.
    """
    items: tuple[Photo | Drawing, ...] = (*dataset.sketches, *dataset.photos)
    broken: dict[str, str] = {}
    if depth != "names":
        for path, reason in _opened(dataset, items, depth):
            if reason:
                broken[path] = reason
            opened_one()
    problems = dataset.problems
    if broken:
        names = (f"{path} ({reason})" for path, reason in broken.items())
        found = (*problems, Problem.of(Kind.BROKEN, len(broken), names))
        problems = tuple(sorted(found, key=lambda problem: list(MEANING).index(problem.kind)))
    labels = {item.label for item in items if item.path in broken}
    whole = set(dataset.classes) - labels if depth == "pictures" else set()  # classes of which every file was read
    usable = all(any(item.path not in broken for item in side) for side in (dataset.sketches, dataset.photos))
    hashes = tuple(
        Hashes(name, names_hash(dataset, classes), files_hash(dataset, classes) if whole.issuperset(classes) else None)
        for name, classes, _ in _groups(dataset)
    )
    return Check(dataset, depth, tuple(_counts(dataset)), hashes, _missing(dataset), problems, usable)


def _opened(dataset: Dataset, items: tuple[Photo | Drawing, ...], depth: Depth) -> Iterator[tuple[str, str]]:
    """(path, reason) of each item in order; the reason is empty if it opens."""
    look = _whole if depth == "pictures" else _beginning

    def reason(item: Photo | Drawing) -> tuple[str, str]:
        try:
            look(str(dataset.file(item)), isinstance(item, Photo))
        except PictureError as error:
            return item.path, error.reason
        return item.path, ""

    workers = usable_cores()
    return map_ahead(reason, items, workers=workers, depth=8 * workers)


def _beginning(path: str, photo: bool) -> None:
    with open_source(path, path) as stream:
        format = format_of(stream.read(HEAD_BYTES), path)
    if format is None or (photo and format.drawing):
        raise PictureError(path, "does not begin like a picture")


def _whole(path: str, photo: bool) -> None:
    from sketchseek.pictures import load_photo, load_sketch  # decoders are needed only here

    if photo:
        load_photo(path)
    else:
        load_sketch(path)


def _groups(dataset: Dataset) -> Iterator[tuple[str, tuple[str, ...], dict[str, list[int]]]]:
    """Each group of classes to report: its name, those of its classes that are here, and what was published of it."""
    known = known_datasets().get(dataset.name)
    published = dict(known.published) if known else {}
    classes = [len(known.classes)] if known else []
    yield "all", tuple(dataset.classes), {"classes": classes, **published}
    for group in dataset.groups:
        yield group, dataset.groups[group], {}
    for split in known_splits().values():
        if split.dataset == dataset.name and split.source is None:
            for group, values in split.published.items():
                members = published_split(split.name).group(group)
                present = tuple(key for key in members if key in dataset.classes)
                yield f"{split.name}:{group}", present, {"classes": [len(members)], **values}


def _counts(dataset: Dataset) -> Iterator[Count]:
    for name, classes, published in _groups(dataset):
        yield from _counts_of(dataset, name, classes, published)


def _counts_of(
    dataset: Dataset, name: str, classes: tuple[str, ...], published: dict[str, list[int]]
) -> Iterator[Count]:
    members = set(classes)
    photos = gallery(dataset, members)
    here = {
        "classes": len(members),
        "sketches": len(queries(dataset, members)),
        "photos": len(photos),
        "distinct_photos": len(gallery(dataset, members, "dedup")),
        "basic_photos": sum(not photo.extended for photo in photos),
    }
    for what, count in here.items():
        # The last two differ from the photos only if there is an extension.
        if what in published or what in ("classes", "sketches", "photos") or count != here["photos"]:
            yield Count(name, what, count, tuple(published.get(what, ())))


def _missing(dataset: Dataset) -> tuple[str, ...]:
    known = known_datasets().get(dataset.name)
    return tuple(name for name in known.classes if canonical(name) not in dataset.classes) if known else ()
