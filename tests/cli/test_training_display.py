import io

import pytest
from rich.console import Console

from sketchseek.cli.progress import open_bars
from sketchseek.cli.training_display import TrainingBars, TrainingLines, training_display
from sketchseek.training.progress import Progress, StepReport

REPORT = StepReport(1, 30, 90, {"loss": 1.5, "loss:triplet": 0.25}, 123.4, 3725.0)


def report_all(progress: Progress) -> None:
    with progress.task("preparing photos", 3) as advance:
        advance(3)
    progress.report(REPORT)
    progress.validated(30, {"map@all": 0.5, "p@100": 0.1}, True)


def test_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display() as progress:
        assert isinstance(progress, TrainingLines)  # no terminal here
        report_all(progress)
    assert capsys.readouterr() == (
        "",
        "preparing photos: 3\n"
        "epoch 2  step 30/90  loss 1.5  triplet 0.25  123 images/s  1:02:05 left\n"
        "validation after step 30: map@all 0.5000  p@100 0.1000, the best so far\n",
    )


def test_a_terminal_gets_bars() -> None:
    screen = io.StringIO()
    with open_bars(Console(file=screen, force_terminal=True, width=150), time_left=False) as bars:
        assert bars is not None
        report_all(TrainingBars(bars))
    shown = screen.getvalue()
    for part in ("epoch 2", "30/90", "triplet 0.25", "123 images/s", "map@all 0.5000"):
        assert part in shown
