import io

import pytest
from rich.console import Console

from sketchseek.training.display import Lines, _bars, display
from sketchseek.training.progress import StepReport

REPORT = StepReport(1, 30, 90, {"loss": 1.5, "loss:triplet": 0.25}, 123.4, 3725.0)


def tell(progress: object) -> None:
    with progress.task("preparing photos", 3) as done:  # type: ignore[attr-defined]
        done(3)
    progress.report(REPORT)  # type: ignore[attr-defined]
    progress.validated(30, {"map@all": 0.5, "p@100": 0.1}, True)  # type: ignore[attr-defined]


def test_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with display() as progress:
        assert isinstance(progress, Lines)  # no terminal here
        tell(progress)
    assert capsys.readouterr() == (
        "",
        "preparing photos: 3\n"
        "epoch 2  step 30/90  loss 1.5  triplet 0.25  123 images/s  1:02:05 left\n"
        "validation after step 30: map@all 0.5000  p@100 0.1000, the best so far\n",
    )


def test_a_terminal_gets_bars() -> None:
    screen = io.StringIO()
    with _bars(Console(file=screen, force_terminal=True, width=150)) as progress:
        tell(progress)
    shown = screen.getvalue()
    for part in ("epoch 2", "30/90", "triplet 0.25", "123 images/s", "map@all 0.5000"):
        assert part in shown
