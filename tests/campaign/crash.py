"""kill -9 at random moments and at every replacement: no committed row is lost, and the next run finishes the work.

Even cases are killed at a call of the system, one after the other; odd ones at a random moment.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.campaign.campaigns import Campaign, Case, chance
from tests.campaign.interrupted import Galleries
from tests.gallery.crash_child import Crash, crasher

CAMPAIGN = Campaign("kill -9 at any moment and at each replacement of a file", "kills", full=1000, quick=60)
MOST_CALLS = 40  # a task with more replacements would be killed at the first ones only


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    with crasher() as crash:
        galleries = Galleries(place, crash)
        seconds: dict[str, float] = {}

        def case(number: int) -> int:
            turn, task = divmod(number // 2, len(galleries.tasks))
            rng = chance("crash", seed, number)
            kill = _Kill(crash, rng, seconds, at_call=number % 2 == 0, turn=turn)
            galleries.run(list(galleries.tasks)[task], kill)
            return kill.killed

        yield case


class _Kill:
    """Runs a task that is killed.

    ``turn``: how often this task had its turn, for the call to be killed at. ``seconds``: how long tasks take.
    """

    def __init__(
        self, crash: Crash, rng: random.Random, seconds: dict[str, float], *, at_call: bool, turn: int
    ) -> None:
        self._crash, self.rng, self._seconds, self._at_call, self._turn = crash, rng, seconds, at_call, turn
        self.killed = 0

    def __call__(self, task: str, gallery: Path, photos: Path | str = "", *, writers: int = 1) -> None:
        if self._at_call:
            self.killed += self._crash(task, gallery, photos, at=1 + self._turn % MOST_CALLS, writers=writers)
            return
        most = self._seconds.setdefault(task, 0.1)
        began = time.monotonic()
        if self._crash(task, gallery, photos, after=self.rng.uniform(0.001, most), writers=writers):
            self.killed += 1
            self._seconds[task] = most * 1.02  # long enough to reach its end, too
        else:
            self._seconds[task] = min(most, time.monotonic() - began)
