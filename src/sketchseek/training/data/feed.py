"""Batches for the loop: drawn, read from prepared pixels and augmented in threads ahead of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchseek.methods.method import Augmentation, Batch, Setting
from sketchseek.parallel import map_ahead
from sketchseek.pictures.preprocessing import Preprocessing
from sketchseek.training.data.augment import change
from sketchseek.training.data.material import Material
from sketchseek.training.data.pixels import Pixels
from sketchseek.training.data.timetable import Timetable
from sketchseek.training.data.triplets import draw_triplets


def to_input(pixels: NDArray[np.uint8], record: Preprocessing, device: torch.device) -> Tensor:
    """Prepared pictures (n, side, side, 3) -> model input (n, 3, side, side), as ``pictures.prepare`` gives it.

    They are copied as bytes, a quarter of the size, and normalised on the device with the arithmetic of
    ``pictures.normalise``, so that training and search see the same numbers to the last bit.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(device, non_blocking=True).permute(0, 3, 1, 2)
    mean, std = (np.array(values, np.float32) for values in (record.mean, record.std))
    scale, shift = (
        torch.from_numpy(values).to(device).view(3, 1, 1) for values in (np.float32(1 / 255) / std, mean / std)
    )
    return (tensor * scale - shift).contiguous()


@dataclass(frozen=True)
class Feed:
    """Gives the parts of the batch of each step."""

    material: Material
    setting: Setting
    sketches: Pixels
    photos: Pixels
    sketch_record: Preprocessing
    photo_record: Preprocessing
    timetable: Timetable
    augmentation: Augmentation
    seed: int
    rank: int  # of this process: which share of the batch is its own
    parts: int  # the share is computed in
    batch: int  # triplets of this process
    workers: int
    device: torch.device

    def steps(self, first: int) -> Iterator[list[Batch]]:
        """The parts of each step, from ``first`` to the last."""
        numbers = range(first, self.timetable.steps)
        for raw in map_ahead(self._read, numbers, workers=self.workers, depth=self.workers + 1):
            yield [self._on_device(part) for part in raw]

    def _read(self, step: int) -> "list[_Raw]":
        rows, first = self.timetable.rows(step)
        size = self.batch // self.parts
        starts = range(self.rank * self.batch, (self.rank + 1) * self.batch, size)
        epoch = self.timetable.epoch_of(step)
        return [self._read_part(rows[start : start + size], epoch, first + start) for start in starts]

    def _read_part(self, rows: NDArray[np.int64], epoch: int, first: int) -> "_Raw":
        triplets = draw_triplets(
            self.material, self.setting, self.augmentation, rows, seed=self.seed, epoch=epoch, first=first
        )
        pictures = [
            change(self.sketches[sketch], self.photos[positive], self.photos[negative], changes)
            for sketch, positive, negative, changes in zip(
                triplets.sketches, triplets.positives, triplets.negatives, triplets.changes, strict=True
            )
        ]
        sketches, positives, negatives = (np.stack(kind) for kind in zip(*pictures, strict=True))
        labels, negative_labels = self.material.sketch_labels[rows], self.material.photo_labels[triplets.negatives]
        return _Raw(sketches, positives, negatives, (labels, negative_labels, triplets.positives, triplets.negatives))

    def _on_device(self, raw: "_Raw") -> Batch:
        pictures = (
            to_input(raw.sketches, self.sketch_record, self.device),
            to_input(raw.positives, self.photo_record, self.device),
            to_input(raw.negatives, self.photo_record, self.device),
        )
        return Batch(*pictures, *(torch.from_numpy(numbers).to(self.device) for numbers in raw.numbers))


@dataclass(frozen=True)
class _Raw:
    """A part of a batch on the CPU: pictures (n, side, side, 3), then labels and instances (n,)."""

    sketches: NDArray[np.uint8]
    positives: NDArray[np.uint8]
    negatives: NDArray[np.uint8]
    numbers: tuple[NDArray[np.int64], ...]
