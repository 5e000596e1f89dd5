"""``curves.png``: losses and validation over the steps, plotted from the log."""

import io
from pathlib import Path

from sketchseek.training.files import write_whole
from sketchseek.training.log import read_log


def draw_curves(log: Path, picture: Path, title: str) -> None:
    """Plot losses and validation in two panels, or in one if nothing was validated."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = read_log(log)
    panels = [
        (label, prefix)
        for label, prefix in (("loss", "loss"), ("validation", "val:"))
        if any(name.startswith(prefix) for _, _, name, _ in lines)
    ]
    if not panels:
        return
    figure = Figure(figsize=(6 * len(panels), 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for position, (label, prefix) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), position)
        names = dict.fromkeys(name for _, _, name, _ in lines if name.startswith(prefix))
        for name in names:
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
