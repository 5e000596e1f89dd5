"""A disk that is full, broken, read-only or slow while a gallery is written: one sentence, and nothing lost.

Calls of the system fail from the beginning, or from a random moment on, also inside SQLite and FAISS.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.campaign.campaigns import Campaign, Case, chance
from tests.campaign.interrupted import Galleries
from tests.gallery import faults
from tests.gallery.crash_child import Crash, crasher

CAMPAIGN = Campaign("a disk that is full, broken, read-only or slow", "faults", full=500, quick=30)
KINDS = (*faults.FAULTS, *faults.LIMITS)
LATEST = 0.15  # seconds; most tasks take less


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    with crasher() as crash:
        galleries = Galleries(place, crash)

        def case(number: int) -> int:
            turn, task = divmod(number, len(galleries.tasks))
            rng = chance("storage", seed, number)
            fault = _Fault(crash, rng, KINDS[turn % len(KINDS)], at_once=rng.random() < 0.3)
            galleries.run(list(galleries.tasks)[task], fault)
            return fault.struck

        yield case


class _Fault:
    """Runs a task with a fault."""

    def __init__(self, crash: Crash, rng: random.Random, kind: str, *, at_once: bool) -> None:
        self._crash, self.rng, self._kind, self._at_once = crash, rng, kind, at_once
        self.struck = 0

    def __call__(self, task: str, gallery: Path, photos: Path | str = "", *, writers: int = 1) -> None:
        after = 0.0 if self._at_once else self.rng.uniform(0.001, LATEST)
        self.struck += self._crash(task, gallery, photos, after=after, fault=self._kind, writers=writers)
