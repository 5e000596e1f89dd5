"""Run campaigns in worker processes, remember what was done, and print one table."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.campaign.campaigns import Campaign, load

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0  # to prepare a campaign, and to end one
MOST_FAILURES = 20  # of one campaign: then something is broken for all cases
SHOW_SECONDS = 30.0


@dataclass
class Progress:
    """What was done. ``failures``: the number of a case, or "end" for the end of a worker -> what happened."""

    next: int = 0
    counted: int = 0
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)


class State:
    """The file that remembers; replaced as a whole, so that a kill costs at most the last case."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.progress: dict[str, Progress] = {}
        if path.exists():
            self.progress = {name: Progress(**one) for name, one in json.loads(path.read_text()).items()}

    def of(self, name: str) -> Progress:
        return self.progress.setdefault(name, Progress())

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        spare = self.path.with_suffix(".new")
        spare.write_text(json.dumps({name: asdict(one) for name, one in self.progress.items()}, indent=1))
        spare.replace(self.path)


class Worker:
    """A process of ``worker``; its cases end in time or it is killed with all that it started."""

    def __init__(self, name: str, place: Path, seed: int) -> None:
        command = [sys.executable, "-m", "tests.campaign.worker", name, str(place), str(seed)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def ready(self) -> dict[str, Any]:
        return self._answer(START_SECONDS)

    def run(self, number: int, seconds: float) -> dict[str, Any]:
        """The answer to a case."""
        assert self._process.stdin
        with suppress(OSError):  # it has ended: the answer says so
            self._process.stdin.write(b"%d\n" % number)
            self._process.stdin.flush()
        return self._answer(seconds)

    def end(self) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.close()
        answer = self._answer(START_SECONDS)
        self.stop()
        return answer

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else b""
        if line.endswith(b"\n"):
            return json.loads(line)  # type: ignore[no-any-return]
        self.stop()
        what = f"the process ended ({self._process.returncode})" if ready else f"it took longer than {seconds:g} s"
        return {"counted": 0, "error": what, "measured": {}}


def run_campaign(name: str, goal: int, state: State, seed: int) -> None:
    """Repeat the cases that failed before, then go on to ``goal`` units."""
    campaign, done = load(name).CAMPAIGN, state.of(name)
    again = [int(number) for number in done.failures if number != "end"]
    if not again and "end" not in done.failures and done.counted >= goal:
        return
    done.failures.pop("end", None)
    worker: Worker | None = None
    shown = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"campaign-{name}-") as place:
        try:
            while again or (done.counted < goal and len(done.failures) < MOST_FAILURES):
                began = time.monotonic()
                if worker is None:
                    worker = Worker(name, Path(tempfile.mkdtemp(dir=place)), seed)
                    if _note(done, "end", worker.ready(), began):
                        break
                number = again.pop(0) if again else done.next
                done.next = max(done.next, number + 1)
                _note(done, str(number), worker.run(number, campaign.seconds), began)
                state.save()
                worker = worker if worker.alive else None
                if time.monotonic() - shown > SHOW_SECONDS:
                    shown = time.monotonic()
                    print(line_of(name, campaign, goal, done), file=sys.stderr, flush=True)
            if worker is not None and worker.alive:
                _note(done, "end", worker.end(), time.monotonic())
            state.save()
        finally:
            if worker is not None:
                worker.stop()
    print(line_of(name, campaign, goal, done), file=sys.stderr, flush=True)


def _note(done: Progress, case: str, answer: dict[str, Any], began: float) -> bool:
    """Add an answer to what was done; whether it is a failure."""
    done.counted += answer["counted"]
    done.seconds += time.monotonic() - began
    for name, value in answer["measured"].items():
        done.measured[name] = max(value, done.measured.get(name, 0.0))
    done.failures.pop(case, None)
    if answer["error"]:
        done.failures[case] = answer["error"]
        print(answer["error"], file=sys.stderr, flush=True)
    return bool(answer["error"])


def run_case(name: str, number: int, seed: int) -> str | None:
    """One case, outside any state: what went wrong."""
    with tempfile.TemporaryDirectory(prefix=f"campaign-{name}-") as place:
        # As deep as in a run: paths of another length lie elsewhere in a gallery.
        worker = Worker(name, Path(tempfile.mkdtemp(dir=place)), seed)
        error = worker.ready()["error"] or worker.run(number, load(name).CAMPAIGN.seconds)["error"]
        error = error or worker.end()["error"]
        worker.stop()
        return error  # type: ignore[no-any-return]


def line_of(name: str, campaign: Campaign, goal: int, done: Progress) -> str:
    failures = f"{len(done.failures)} failures"
    return f"{name}: {done.counted:,} of {goal:,} {campaign.unit}, {failures}, {done.seconds:,.0f} s"


def table(names: list[str], state: State, seed: int) -> str:
    """All results in Markdown, and for each failure the command that repeats it."""
    rows = [f"| campaign ({date.today()}, seed {seed}) | tried | failures | seconds |", "|---|---|---|---|"]
    for name in names:
        campaign, done = load(name).CAMPAIGN, state.of(name)
        tried = f"{done.counted:,} {campaign.unit}"
        rows.append(f"| {name}: {campaign.what} | {tried} | {len(done.failures)} | {done.seconds:,.0f} |")
    rows += ["", "| largest value measured | |", "|---|---|"]
    for name in names:
        rows += [f"| {name}: {what} | {value:,.0f} |" for what, value in sorted(state.of(name).measured.items())]
    for name in names:
        for case, error in state.of(name).failures.items():
            which = "" if case == "end" else f" --case {case}"
            lines = error.strip().splitlines()
            places = [line.strip() for line in lines if line.startswith("  File ")][-1:]
            rows += ["", ": ".join([name, *places, lines[-1]]), _command(f"--only {name}{which}", seed)]
    return "\n".join(rows)


def _command(options: str, seed: int) -> str:
    return f"    python -m tests.campaign {options}" + (f" --seed {seed}" if seed else "")
