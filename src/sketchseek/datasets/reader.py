"""Open a dataset: recognise its layout, list its files, name its classes, pair its sketches, report problems."""

import os
from collections import Counter
from pathlib import Path

from sketchseek.datasets.items import Dataset, DatasetError, Drawing, Kind, Photo, ProblemLog
from sketchseek.datasets.layouts import Layout, recognise
from sketchseek.datasets.lists import read_lists
from sketchseek.datasets.pairs import instance_of, make_drawings, read_pairs
from sketchseek.datasets.scan import Scan, scan, unread_folders
from sketchseek.datasets.splits import known_datasets
from sketchseek.untrusted import parse_json, read_bounded
from sketchseek.wording import canonical, class_in_words


def open_dataset(root: str | Path, as_name: str | None = None) -> Dataset:
    """Read the dataset in ``root``. ``as_name``: which one it is, sketchy, tuberlin, quickdraw or custom.

    By default its folders and classes decide that. Files are not opened (``check_dataset`` opens them).
    """
    root = Path(root)
    if as_name is not None and as_name not in (names := (*known_datasets(), "custom")):
        raise DatasetError(f"there is no dataset called {as_name!r}: choose {', '.join(names)}")
    layout = recognise(root)
    log = ProblemLog()
    unread_folders(root, layout, log)
    scans = [scan(root, layout, source, log) for source in layout.sources]
    scans = _keep_listed(root, layout, scans, log)
    photos = _photos(scans, log)
    rows = read_pairs(root, log)
    found = sorted((f for s in scans if s.source.role == "sketch" for f in s.files), key=lambda file: file.path)
    sketches = make_drawings(found, photos, rows, log)
    for what, items in (("sketch", sketches), ("photo", photos)):
        if not items:
            raise DatasetError(f"{root} was read as {layout.name} and has no {what} in it: check that it is complete")
    spelling = {key: scan.spelling[key] for scan in reversed(scans) for key in scan.spelling}
    name = as_name or layout.dataset or _guess(set(spelling))
    _report_pairs(name, sketches, rows is not None, log)
    classes = _classes(name, spelling, photos, sketches, log)
    groups = _read_groups(root, classes, log) or _folder_groups(layout, scans)
    return Dataset(name, layout.name, root, classes, photos, sketches, log.problems(), groups)


def _keep_listed(root: Path, layout: Layout, scans: list[Scan], log: ProblemLog) -> list[Scan]:
    """Keep the listed files of each class that is in a list, and all files of the other classes."""
    listed = read_lists(root, layout.sources, log)
    kept = []
    for found in scans:
        named = listed[found.source.folder]
        files = []
        for file in found.files:
            if file.label not in named or file.path in named[file.label]:
                files.append(file)
            else:
                log.add(Kind.UNLISTED, file.path)
        lost = {path for paths in named.values() for path in paths} - {file.path for file in found.files}
        # a file that exists but was skipped has a problem already
        log.extend(Kind.LIST_MISSING_FILE, (path for path in lost if not os.path.lexists(root / path)))
        kept.append(Scan(found.source, tuple(files), found.spelling))
    return kept


def _photos(scans: list[Scan], log: ProblemLog) -> tuple[Photo, ...]:
    photos: list[Photo] = []
    for found in scans:
        if found.source.role == "sketch":
            continue
        extended = found.source.role == "extended"
        names: Counter[str] = Counter()
        for file in found.files:
            photo = Photo(file.path, file.label, instance_of(file.label, file.path), extended)
            names[photo.instance] += 1
            if names[photo.instance] > 1:
                log.add(Kind.SAME_NAME, photo.path)
            photos.append(photo)
    return tuple(sorted(photos, key=lambda photo: photo.path))


def _report_pairs(name: str, sketches: tuple[Drawing, ...], has_table: bool, log: ProblemLog) -> None:
    paired = has_table or name == "sketchy" or any(drawing.instance for drawing in sketches)
    if paired:
        log.extend(Kind.ORPHAN, (drawing.path for drawing in sketches if drawing.instance is None))


def _guess(classes: set[str]) -> str:
    """The published dataset that has nearly all of these classes, at least half of its own among them."""
    best, overlap = "custom", 0.0
    for known in known_datasets().values():
        common = len(classes & known.spelling().keys())
        share = common / len(known.classes)
        if common >= 0.9 * len(classes) and share >= 0.5 and share > overlap:
            best, overlap = known.name, share
    return best


def _classes(
    name: str, spelling: dict[str, str], photos: tuple[Photo, ...], sketches: tuple[Drawing, ...], log: ProblemLog
) -> dict[str, str]:
    """Canonical name -> words; in the published spelling, so that prompts do not depend on the names of folders."""
    drawn = {drawing.label for drawing in sketches}
    pictured = {photo.label for photo in photos}
    published = known_datasets()[name].spelling() if name in known_datasets() else {}
    log.extend(Kind.NO_SKETCHES, (spelling[key] for key in spelling.keys() - drawn))
    log.extend(Kind.NO_PHOTOS, (spelling[key] for key in spelling.keys() - pictured))
    if published:
        log.extend(Kind.UNKNOWN_CLASS, (spelling[key] for key in spelling.keys() - published.keys()))
        log.extend(Kind.MISSING_CLASS, (published[key] for key in published.keys() - (drawn | pictured)))
    return {key: class_in_words(published.get(key, spelling[key])) for key in sorted(drawn | pictured)}


def _read_groups(root: Path, classes: dict[str, str], log: ProblemLog) -> dict[str, tuple[str, ...]]:
    """Classes of the groups of ``splits.json`` ({"train": [...], "val": [...], "unseen": [...]}) that exist."""
    file = root / "splits.json"
    if not file.is_file():
        return {}
    try:
        data = parse_json(read_bounded(file))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read as JSON ({error}): fix or delete it") from error
    allowed = ("train", "val", "unseen")
    if not isinstance(data, dict) or not data.keys() <= set(allowed):
        raise DatasetError(f"{file} must be an object with no keys except {', '.join(allowed)}")
    group_of: dict[str, str] = {}
    for group, names in data.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DatasetError(f"{group!r} in {file} must be a list of class names")
        for name in names:
            if group_of.setdefault(canonical(name), group) != group:
                raise DatasetError(f"{file} has {name!r} in two groups: a class is either trained on or not")
            if canonical(name) not in classes:
                log.add(Kind.SPLIT_UNKNOWN_CLASS, name)
    log.extend(Kind.SPLIT_LEFT_OUT, (classes[key] for key in classes.keys() - group_of.keys()))
    return {group: tuple(sorted(k for k in classes if group_of.get(k) == group)) for group in allowed if group in data}


def _folder_groups(layout: Layout, scans: list[Scan]) -> dict[str, tuple[str, ...]]:
    """The groups of a layout with folders for seen and unseen classes; none if a class is in both."""
    members: dict[str, set[str]] = {source.group: set() for source in layout.sources if source.group}
    for found in scans:
        if found.source.group:
            members[found.source.group] |= {file.label for file in found.files}
    disjoint = len(set().union(*members.values())) == sum(map(len, members.values()))
    return {group: tuple(sorted(keys)) for group, keys in members.items()} if members and disjoint else {}
