"""The runner of campaigns: failures are kept and repeated, a stopped run goes on, slow and crashed cases end."""

from pathlib import Path

import pytest

from tests.campaign.campaigns import NAMES, load
from tests.campaign.runner import State, run_campaign, run_case, table


def test_failures_are_shown_with_their_command_and_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    run_campaign("trial", 3, State(path), 5)
    done = State(path).of("trial")
    assert (done.counted, done.next, done.measured) == (3, 6, {"number of a case": 5})
    assert done.failures["1"].splitlines()[-1] == "AssertionError: one is wrong"
    assert done.failures["2"] == "it took longer than 5 s"
    assert done.failures["3"] == "the process ended (7)"
    shown = table(["trial"], State(path), 5)
    assert "| trial: cases that fail | 3 tries | 3 |" in shown
    for case in (1, 2, 3):
        assert f"\n    python -m tests.campaign --only trial --case {case} --seed 5" in shown
    assert "one is wrong" in str(run_case("trial", 1, 5))
    assert run_case("trial", 4, 5) is None

    monkeypatch.setenv("TRIAL_IS_GOOD", "1")
    run_campaign("trial", 8, State(path), 5)
    done = State(path).of("trial")
    assert (done.counted, done.next, done.failures) == (8, 8, {})
    before = path.read_bytes()
    run_campaign("trial", 8, State(path), 5)
    assert path.read_bytes() == before, "nothing is left to do"


@pytest.mark.parametrize("name", NAMES)
def test_every_campaign_can_be_loaded_and_is_smaller_when_quick(name: str) -> None:
    campaign = load(name).CAMPAIGN
    assert 0 < campaign.quick < campaign.full
