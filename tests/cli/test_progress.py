import io
import subprocess
import sys

import pytest
from rich.console import Console

from sketchseek.cli.progress import counting, open_bars, stages


def test_without_a_terminal_a_bar_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with open_bars() as bars:
        assert bars is None
    with counting("opening", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_rich_is_not_imported() -> None:
    script = (
        "import sys; from sketchseek.cli.progress import stages\nwith stages() as update: update('reading', 1, 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script + "assert 'rich' not in sys.modules"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_stages_print_a_line_now_and_then_and_at_their_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 5.0, 11.0, 11.0, 12.0, 12.0])
    monkeypatch.setattr("sketchseek.cli.progress.time.monotonic", lambda: next(clock))
    with stages() as update:
        update("reading photos", 50, 300)  # too early for a line
        update("reading photos", 150, 300)
        update("reading photos", 300, 300)
        update("ranking", 20, 20)  # too short for a line
    assert capsys.readouterr() == ("", "reading photos: 150 of 300\nreading photos: 300 of 300\n")


def test_bars_show_name_count_and_status_as_they_are() -> None:
    screen = io.StringIO()
    with open_bars(Console(file=screen, force_terminal=True, width=150)) as bars:
        assert bars is not None
        bars.update("indexing", 0, None, status="looking at folders")
        bars.update("indexing", 7, 9, label="[red]indexing", status="3.0 photos/s")
        bars.print_line("a line [bold]above")
    shown = screen.getvalue()
    for part in ("[red]indexing", "7/9", "3.0 photos/s", "a line [bold]above"):
        assert part in shown


def test_a_counted_bar_goes_when_it_is_over_and_can_come_back() -> None:
    screen = io.StringIO()
    with open_bars(Console(file=screen, force_terminal=True, width=150)) as bars:
        assert bars is not None
        for _ in range(2):
            with bars.counting("validating", 4) as advance:
                advance(1)
                advance(2)
                assert [(task.completed, task.total) for task in bars._progress.tasks] == [(3, 4)]
            assert bars._progress.tasks == []
