"""``curves.png``: losses and validation over the steps, plotted from the log."""

import io
from pathlib import Path

from sketchseek.training.files import write_whole
from sketchseek.training.log import read_log


def draw_curves(log: Path, picture: Path, title: str) -> None:
    """Plot losses, validation and mean ranks, each in a panel of its own if there are any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = read_log(log)
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for _, _, name, _ in lines):
        if name == "val:mean_rank":  # other metrics are at most 1
            panels.setdefault("mean rank", []).append(name)
        elif name.startswith(("loss", "val:")):
            panels.setdefault("loss" if name.startswith("loss") else "validation", []).append(name)
    if not panels:
        return
    figure = Figure(figsize=(6 * len(panels), 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for position, label in enumerate(sorted(panels, key=("loss", "validation", "mean rank").index), start=1):
        axes = figure.add_subplot(1, len(panels), position)
        for name in panels[label]:
            points = [(step, value) for step, _, other, value in lines if other == name]
            axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 50 else "")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend()
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    write_whole(picture, stream.getvalue())
