"""Cases that fail in every way a case can, for the test of the runner."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.campaign.campaigns import Campaign, Case, measure

CAMPAIGN = Campaign("cases that fail", "tries", full=6, quick=3, seconds=5)


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    def case(number: int) -> int:
        measure("number of a case", number)
        if not os.environ.get("TRIAL_IS_GOOD"):
            assert number != 1, "one is wrong"
            if number == 2:
                time.sleep(60)
            if number == 3:
                os._exit(7)
        return 1

    yield case
