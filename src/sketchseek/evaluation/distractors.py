"""Photos of other folders that are right for no query: they make a gallery as crowded as a real one."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sketchseek.datasets import Dataset, Photo
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.protocols import DISTRACTOR, Task
from sketchseek.pictures import PHOTO_SUFFIXES
from sketchseek.wording import counted, listed


def find_distractors(folders: Sequence[Path], dataset: Dataset) -> list[Photo]:
    """All photos below the folders, each once, sorted by path; hidden files and folders are skipped.

    A photo of the dataset may be right for a query, so it is an error.
    """
    own = {os.path.realpath(dataset.file(photo)) for photo in dataset.photos}
    found = sorted({path for folder in folders for path in _photos_below(folder)})
    for path in found:
        if path in own:
            raise SketchseekError(f"{path} is a photo of the dataset and may be right: name folders of other photos")
    return [Photo(path, DISTRACTOR, path) for path in found]


def _photos_below(folder: Path) -> list[str]:
    """Real paths, so that folders that overlap give each photo once."""

    def stop(error: OSError) -> None:
        raise SketchseekError(f"the distractors in {folder} cannot be read: {error.filename}: {error.strerror}")

    found = []
    for path, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(path, name) for name in names if not name.startswith(".")]
    photos = [os.path.realpath(path) for path in found if path.suffix.lower() in PHOTO_SUFFIXES]
    if not photos:
        raise SketchseekError(f"there is no photo in {folder}: name folders of photos with --distractors")
    return photos


def add_distractors(
    dataset: Dataset, tasks: Sequence[Task], photos: Sequence[Photo], folders: Sequence[Path]
) -> tuple[Dataset, list[Task]]:
    """The tasks with the photos in their galleries, and the dataset with a name for their class."""
    names = listed([str(folder) for folder in folders])
    sentence = f"and {counted(len(photos), 'photo')} of {names} that are right for no sketch"
    return replace(dataset, classes={**dataset.classes, DISTRACTOR: "distractors"}), [
        replace(
            task,
            gallery=(*task.gallery, *photos),
            sentences={**task.sentences, "gallery": f"{task.sentences['gallery']}, {sentence}"},
        )
        for task in tasks
    ]
