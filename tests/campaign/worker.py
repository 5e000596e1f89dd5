"""Run the cases of one campaign: python -m tests.campaign.worker NAME PLACE SEED, with numbers of cases on stdin.

Answers with a line of JSON when it is ready, after each case, and at the end of stdin.
"""

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from sketchseek.child_process import take_stdout
from tests.campaign.campaigns import load, measured


def main(name: str, place: str, seed: str) -> None:
    answers = TextIOWrapper(take_stdout())
    module = load(name)
    with _answered(answers, {}), module.prepared(Path(place), int(seed)) as case:
        _answer(answers, {"counted": 0})
        for line in sys.stdin:
            answer: dict[str, Any] = {"counted": 0}
            with _answered(answers, answer):
                answer["counted"] = case(int(line))
                _answer(answers, answer)
    _answer(answers, {"counted": 0})


@contextmanager
def _answered(answers: IO[str], answer: dict[str, Any]) -> Iterator[None]:
    """An exception is an answer, also a group of them."""
    try:
        yield
    except BaseException:
        _answer(answers, {"counted": 0, **answer, "error": traceback.format_exc()})


def _answer(answers: IO[str], answer: dict[str, Any]) -> None:
    print(json.dumps({"error": None, **answer, "measured": measured}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
