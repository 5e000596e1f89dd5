"""What a campaign is: seeded cases, each run in a worker process, that must end without loss, crash or delay.

A campaign is a module of this folder with a ``CAMPAIGN`` and a function ``prepared(place, seed)``, a context manager
that makes in the folder ``place`` what all cases share and yields ``case``. ``case(number)`` raises if a promise is
broken, and returns how many units it tried. The same seed and number are the same case.
"""

import importlib
import random
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

NAMES = ("crash", "damage", "storage", "pictures", "strangers", "requests", "clients", "load", "leaks")
MB = 10**6

Case = Callable[[int], int]


@dataclass(frozen=True)
class Campaign:
    """``full``, ``quick``: how many units are tried; ``seconds``: the limit for one case."""

    what: str
    unit: str
    full: int
    quick: int
    seconds: float = 60


class Module(Protocol):
    CAMPAIGN: Campaign
    prepared: Callable[[Path, int], AbstractContextManager[Case]]


def load(name: str) -> Module:
    module: Any = importlib.import_module(f"tests.campaign.{name}")
    return module  # type: ignore[no-any-return]


def chance(name: str, seed: int, number: int) -> random.Random:
    """The random numbers of a case."""
    return random.Random(f"{name} {seed} {number}")


measured: dict[str, float] = {}  # by name: the largest value so far


def measure(name: str, value: float, limit: float | None = None) -> None:
    """Report a figure, such as "peak memory of indexing, MB"; an assertion if it is over ``limit``."""
    measured[name] = max(value, measured.get(name, 0.0))
    assert limit is None or value <= limit, f"{name}: {value:,.0f}, over the limit of {limit:,.0f}"


def memory_of(process: int | str = "self", kind: str = "VmHWM") -> float:
    """MB of memory that a process has (VmRSS), or has had at most (VmHWM)."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 / MB if found else 0.0
