"""Which photos are right for which sketch, as whole numbers: equal numbers mean relevant."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]
By = Literal["label", "instance"]


@dataclass(frozen=True)
class Relevance:
    """A photo is relevant to a query if their keys are equal; with groups, only photos of its group are ranked."""

    query_keys: Codes  # (queries,)
    gallery_keys: Codes  # (gallery,)
    query_groups: Codes | None = None
    gallery_groups: Codes | None = None


def by_label(query_labels: NDArray[np.generic], gallery_labels: NDArray[np.generic]) -> Relevance:
    """Category level: every photo of the sketch's class is right."""
    return Relevance(*shared_codes(query_labels, gallery_labels))


def by_instance(
    query_labels: NDArray[np.generic],
    gallery_labels: NDArray[np.generic],
    query_instances: NDArray[np.generic],
    gallery_instances: NDArray[np.generic],
    *,
    within_class: bool,
) -> Relevance:
    """Instance level: only the photo the sketch was drawn from is right, among all photos or among those of its class.

    An instance is identified by class and name together: datasets number the photos of each class from 1.
    """
    query_groups, gallery_groups = shared_codes(query_labels, gallery_labels)
    query_names, gallery_names = shared_codes(query_instances, gallery_instances)
    names = max(query_names.max(initial=0), gallery_names.max(initial=0)) + 1
    return Relevance(
        query_groups * names + query_names,
        gallery_groups * names + gallery_names,
        query_groups if within_class else None,
        gallery_groups if within_class else None,
    )


def shared_codes(left: NDArray[np.generic], right: NDArray[np.generic]) -> tuple[Codes, Codes]:
    """Two arrays of one kind (numbers or words) as whole numbers, equal where the values are."""
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    return codes[: len(left)], codes[len(left) :]
