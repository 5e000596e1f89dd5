"""The composition of a batch: blocks of one class, in which each drawing must find its own photo among its class, and
pairs from many classes, in which it must find the class.
"""

from collections import defaultdict
from typing import Any

import numpy as np

LOOSE = -1  # the block of drawings that show no photo of the batch
MIXED = 4  # the block of pairs from many classes


class Batches:
    """Batches of one filled pass, mixed so that every loss has pairs.

    ``photo_row``: source of a photo -> its row.
    """

    def __init__(self, items: list[dict[str, Any]], ready: np.ndarray) -> None:
        self.photo_row = {item["source"]: row for row, item in enumerate(items) if item["kind"] == "photo"}
        # (data set, class) -> rows of its photos, of its human sketches; photo row -> its line drawing
        self.photos: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.sketches: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.line_of: dict[int, int] = {}
        self.words: list[int] = []
        for row in map(int, np.flatnonzero(ready)):
            item = items[row]
            if item["part"] != "train":
                continue
            block = item["sort"], item["name"] or ""
            if item["kind"] == "photo":
                self.photos[block].append(row)
            elif item["kind"] == "line":
                self.line_of[self.photo_row[item["about"]]] = row
            elif item["kind"] == "word":
                self.words.append(row)
            else:
                self.sketches[block].append(row)
        self.shown = {row: self.photo_row[items[row]["about"]] for block, rows in self.sketches.items()
                      if block[0] not in ("quickdraw",) for row in rows}  # fmt: skip

    def draw(self, dice: np.random.Generator) -> tuple[list[int], list[int]]:
        """Rows of one batch of about 250, and the block of each."""
        rows: list[int] = []
        blocks: list[int] = []

        def add(block: int, more: list[int]) -> None:
            rows.extend(more)
            blocks.extend([block] * len(more))

        def pick(pool: list[int], count: int) -> list[int]:
            return [pool[n] for n in dice.permutation(len(pool))[:count]]

        def classes(sort: str, count: int) -> list[tuple[str, str]]:
            names = sorted(block for block in self.photos if block[0] == sort)
            return [names[n] for n in dice.permutation(len(names))[:count]]

        sketchy = classes("sketchy", 12)
        for number, block in enumerate(sketchy[:2]):
            photos = self.photos[block]
            add(number, photos + pick(self.sketches[block], 10) + [self.line_of[row] for row in pick(photos, 12)])
        pure = classes("quickdraw" if dice.random() < 0.5 else "photos", 1)[0]
        photos = pick(self.photos[pure], 14)
        add(2, photos + [self.line_of[row] for row in photos])
        block = classes("contours", 1)[0]
        drawn = pick(self.sketches[block], 10)
        add(3, sorted({self.shown[row] for row in drawn}) + drawn)
        for block in sketchy[2:]:
            (drawing,) = pick(self.sketches[block], 1)
            add(MIXED, [drawing, self.shown[drawing]])
        for sort, count in (("quickdraw", 14), ("photos", 10), ("products", 4), ("mixed", 8)):
            for block in classes(sort, count):
                if block == pure:  # no photo occurs twice in a batch
                    continue
                (photo,) = pick(self.photos[block], 1)
                add(MIXED, [photo, self.line_of[photo]])
                add(LOOSE, pick(self.sketches[block], 1))
        add(LOOSE, pick(self.words, 24))
        return rows, blocks
