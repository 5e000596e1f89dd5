"""Datasets on disk: read any layout, select classes, make queries, galleries and pairs. Needs no torch.

dataset = open_dataset("Sketchy")
classes = select_classes(dataset, "unseen")
queries(dataset, classes), gallery(dataset, classes, "dedup"), fine_grained(dataset, classes)
"""

from sketchseek.datasets.check import Check, check_dataset
from sketchseek.datasets.galleries import FineGrained, Variant, fine_grained, gallery, queries
from sketchseek.datasets.hashes import Hashes, files_hash, names_hash
from sketchseek.datasets.items import Dataset, DatasetError, Drawing, Kind, Photo, Problem
from sketchseek.datasets.reader import open_dataset
from sketchseek.datasets.splits import (
    KnownDataset,
    KnownSplit,
    Split,
    known_datasets,
    known_splits,
    published_split,
    select_classes,
    split_of,
    validation_classes,
)
from sketchseek.wording import canonical

__all__ = [
    "Check",
    "Dataset",
    "DatasetError",
    "Drawing",
    "FineGrained",
    "Hashes",
    "Kind",
    "KnownDataset",
    "KnownSplit",
    "Photo",
    "Problem",
    "Split",
    "Variant",
    "canonical",
    "check_dataset",
    "files_hash",
    "fine_grained",
    "gallery",
    "known_datasets",
    "known_splits",
    "names_hash",
    "open_dataset",
    "published_split",
    "queries",
    "select_classes",
    "split_of",
    "validation_classes",
]
