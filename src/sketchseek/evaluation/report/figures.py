"""The same details as figures for a paper: PNG to view, SVG to typeset. Requires matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sketchseek.datasets import Drawing, Photo
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.curve import RECALLS
from sketchseek.evaluation.evaluate import Evaluation
from sketchseek.evaluation.report.details import TOP, ClassLists, Confusion, Details, collect_details
from sketchseek.evaluation.report.page import main_metric, rank_bins
from sketchseek.evaluation.report.thumbnails import SIDE, picture
from sketchseek.installation import install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
ROWS = 6  # of the figure of lists: as many as fit on a page
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#2457c5", "#a8500a", "#12793a", "#bf2431", "#8a929c"
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "sketchseek",
}


def write_figures(result: Evaluation, folder: Path) -> list[Path]:
    """Write every figure of the result as PNG and SVG; returns the files."""
    try:
        import matplotlib
    except ImportError as error:
        raise SketchseekError(
            f"figures require matplotlib; run: {install_command('matplotlib')}, or omit --figures"
        ) from error
    details = collect_details(result)
    written = []
    with matplotlib.rc_context(_STYLE):
        figures = {"per-class": _per_class(result), "lists": _lists(result, details)}
        if result.main.task.by == "instance":
            figures["ranks"] = _ranks(details)
        else:
            figures["precision-recall"] = _curve(result)
        if details.confusion is not None:
            figures["confusion"] = _confusion(details.confusion)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, figure in figures.items():
                if conditions := result.conditions():
                    figure.suptitle("; ".join(conditions), fontsize=6)
                for suffix, about in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
                    path = folder / f"{name}{suffix}"
                    figure.savefig(path, dpi=DPI, bbox_inches="tight", metadata=about)
                    written.append(path)
        except OSError as error:
            raise SketchseekError(
                f"the figures cannot be written to {folder} ({error.strerror}): name another folder"
            ) from error
    return written


def _new(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _per_class(result: Evaluation) -> "Figure":
    metric = main_metric(result)
    rows = sorted(result.per_class().items(), key=lambda item: (item[1][metric], item[0]))
    figure = _new(3.4, 0.6 + 0.16 * len(rows))
    axes = figure.subplots()
    axes.barh([name for name, _ in rows], [100 * means[metric] for _, means in rows], color=_BLUE, height=0.7)
    axes.axvline(100 * result.main.scores.means()[metric], color=_ORANGE, linestyle="--", linewidth=1)
    axes.set_xlabel(f"{metric} (%), mean dashed")
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    return figure


def _curve(result: Evaluation) -> "Figure":
    figure = _new(3.4, 2.6)
    axes = figure.subplots()
    for outcome, colour, line in ((result.main, _BLUE, "-"), (result.other, _ORANGE, "--")):
        if outcome is not None:
            axes.plot(RECALLS, outcome.curve, line, color=colour, marker=".", label=outcome.task.gallery_variant)
    if result.other is not None:
        axes.legend(frameon=False)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision (11-point interpolated)")
    return figure


def _ranks(details: Details) -> "Figure":
    bins = rank_bins(details.ranks, details.ranked)
    figure = _new(4.8, 2.4)
    axes = figure.subplots()
    places = np.arange(len(bins))
    axes.bar(places, [count for _, count, _ in bins], color=_BLUE, width=0.8)
    axes.step(places, [chance for _, _, chance in bins], where="mid", color=_ORANGE, linestyle=":", label="chance")
    axes.set_xticks(places, [name for name, _, _ in bins], rotation=90 if len(bins) > 12 else 0)
    axes.set(xlabel="rank of the right photo", ylabel="sketches")
    axes.legend(frameon=False)
    return figure


def _confusion(found: Confusion) -> "Figure":
    size = 1.2 + 0.16 * len(found.classes)
    figure = _new(size, size)
    axes = figure.subplots()
    columns, shares = found.collapsed()
    picture_of_shares = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(found.classes)), found.classes)
    axes.set(xlabel=f"class of the first {TOP} photos", ylabel="class of the sketch")
    figure.colorbar(picture_of_shares, shrink=0.6, label="%")
    return figure


def _lists(result: Evaluation, details: Details) -> "Figure":
    """The best list of evenly spaced classes; right photos have a green frame, others a red one."""
    step = max(1, len(details.lists) // ROWS)
    chosen: tuple[ClassLists, ...] = details.lists[::step][:ROWS]
    figure = _new(7.0, 0.68 * len(chosen) + 0.1)
    grid: Any = figure.subplots(len(chosen), TOP + 1, squeeze=False)
    for row, one in zip(grid, chosen, strict=True):
        listed = one.best
        items: list[tuple[Drawing | Photo, str]] = [(listed.query, _GREY)]
        items += [(photo, _GREEN if right else _RED) for photo, right in listed.photos]
        for axes in row:
            axes.set_axis_off()
        for axes, (item, colour) in zip(row, items, strict=False):
            axes.imshow(picture(result.dataset, item))
            axes.add_patch(_frame(colour))
        row[0].set_title(one.name, fontsize=6, pad=2)
    return figure


def _frame(colour: str) -> Any:
    from matplotlib.patches import Rectangle

    dashed = "--" if colour == _RED else "-"  # colour is not the only cue
    return Rectangle((0, 0), SIDE - 1, SIDE - 1, fill=False, edgecolor=colour, linewidth=1.8, linestyle=dashed)
