"""``log.csv``: one value per line (step, epoch, name, value), so that the set of losses may change."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sketchseek.training.files import write_whole

COLUMNS = ("step", "epoch", "name", "value")
Line = tuple[int, int, str, float]


@dataclass
class Meter:
    """Sums of losses since they were last logged."""

    sums: dict[str, float] = field(default_factory=dict)
    steps: int = 0

    def add(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Means over the steps so far; resets the sums."""
        means = {name: total / self.steps for name, total in self.sums.items()}
        self.sums, self.steps = {}, 0
        return means


def append(file: Path, step: int, epoch: int, values: Mapping[str, float]) -> None:
    """Add lines; a new file begins with a header."""
    exists = file.is_file()
    with file.open("a", encoding="utf-8", newline="") as stream:
        _write(stream, ([] if exists else [COLUMNS]), ((step, epoch, name, value) for name, value in values.items()))


def read_log(file: Path) -> list[Line]:
    """All complete lines; the last one may be cut off if a process was killed."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    rows = csv.reader(text[: text.rfind("\n") + 1].splitlines()[1:])
    return [(int(step), int(epoch), name, float(value)) for step, epoch, name, value in rows]


def cut(file: Path, step: int) -> None:
    """Drop the lines after ``step``: a training that resumes there will log them again."""
    stream = io.StringIO()
    _write(stream, [COLUMNS], (line for line in read_log(file) if line[0] <= step))
    write_whole(file, stream.getvalue())


def _write(stream: io.TextIOBase, header: Iterable[tuple[str, ...]], lines: Iterable[Line]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows(header)
    writer.writerows((step, epoch, name, repr(value)) for step, epoch, name, value in lines)
