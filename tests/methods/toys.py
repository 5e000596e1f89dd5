"""Made-up pictures of four classes, and triplets of them."""

import torch
from torch import Tensor

from sketchseek.methods.method import Batch

CLASSES = ("cat", "dog", "hot-air_balloon", "giraffe")


def draw(of_class: int, instance: int, modality: str) -> Tensor:
    """A made-up picture (3, 224, 224): a class is a shape, an instance its place and size; photos have colour."""
    generator = torch.Generator().manual_seed(100 * of_class + instance)
    x, y, size = (torch.rand(3, generator=generator) * torch.tensor([80.0, 80.0, 40.0]) + 20).tolist()
    across, down = torch.meshgrid(torch.arange(224.0) - x - size, torch.arange(224.0) - y - size, indexing="xy")
    inside = (
        (across.abs() < size) & (down.abs() < size),
        across.square() + down.square() < size**2,
        (across.abs() < size / 4) | (down.abs() < size / 4),
        ((across + down) / 20).floor() % 2 == 0,
    )[of_class]
    picture = torch.where(inside, -1.5, 2.0).expand(3, -1, -1).clone()
    if modality == "photo":
        colour = torch.randn(3, 1, 1, generator=torch.Generator().manual_seed(of_class))
        picture = torch.where(inside, colour, 0.3 * torch.randn(picture.shape, generator=generator))
    return picture


def triplets(pairs: list[tuple[int, int]], wrong: list[tuple[int, int]]) -> Batch:
    """(class, instance) of each sketch and its photo, and of its negative photo."""
    labels, negative_labels = (torch.tensor([row[0] for row in rows]) for rows in (pairs, wrong))
    return Batch(
        sketches=torch.stack([draw(*row, "sketch") for row in pairs]),
        positives=torch.stack([draw(*row, "photo") for row in pairs]),
        negatives=torch.stack([draw(*row, "photo") for row in wrong]),
        labels=labels,
        negative_labels=negative_labels,
        instances=torch.tensor([100 * c + i for c, i in pairs]),
        negative_instances=torch.tensor([100 * c + i for c, i in wrong]),
    )
