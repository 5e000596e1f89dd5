"""Charts as SVG text. Colours are classes of the page's style sheet, so they follow its light or dark scheme."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from sketchseek.evaluation.curve import RECALLS

_CURVE = (420, 300)  # px of the plane
_CELL = 20  # px
_MARGIN = {"left": 46, "top": 12, "right": 14, "bottom": 44}


def curve_chart(curves: Sequence[tuple[str, NDArray[np.float64]]]) -> Markup:
    """Precision over recall; one line for each (name, eleven precisions)."""
    width, height = _CURVE
    parts = [_frame("recall", "precision", width, height)]
    for index, (name, precisions) in enumerate(curves):
        points = [(recall * width, (1 - p) * height) for recall, p in zip(RECALLS, precisions, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(Markup('<polyline class="line line{}" points="{}"/>').format(index, path))
        for recall, p, (x, y) in zip(RECALLS, precisions, points, strict=True):
            parts.append(
                Markup('<circle class="dot line{}" cx="{:.1f}" cy="{:.1f}" r="3.2"><title>{}</title></circle>').format(
                    index, x, y, f"{name}: precision {100 * p:.1f} at recall {recall:.1f}"
                )
            )
    return _svg(width, height, "Precision-recall curve", parts)


def _frame(x_name: str, y_name: str, width: int, height: int) -> Markup:
    """Grid, numbers and names of two axes from 0 to 1."""
    parts = []
    for step in range(6):
        share = step / 5
        y, x = (1 - share) * height, share * width
        parts.append(Markup('<line class="grid" x1="0" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(width, y, y))
        parts.append(Markup('<text x="-8" y="{:.1f}" class="end">{:.0f}</text>').format(y + 4, 100 * share))
        parts.append(Markup('<text x="{:.1f}" y="{}" class="mid">{:.0f}</text>').format(x, height + 18, 100 * share))
    parts.append(Markup('<text x="{}" y="{}" class="mid axis">{} (%)</text>').format(width / 2, height + 38, x_name))
    turned = Markup('<text transform="translate(-36 {}) rotate(-90)" class="mid axis">{} (%)</text>')
    parts.append(turned.format(height / 2, y_name))
    return Markup("").join(parts)


def rank_chart(counts: Sequence[tuple[str, int, float]]) -> Markup:
    """Bars of how many queries have the right photo at which ranks: (ranks, queries, queries by chance)."""
    width, height = 560, 240
    most = max([1.0, *(float(count) for _, count, _ in counts), *(chance for _, _, chance in counts)])
    slot = width / len(counts)
    parts = [Markup('<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>').format(width, height, height)]
    for index, (ranks, count, chance) in enumerate(counts):
        x, tall = index * slot, count / most * height
        about = f"rank {ranks}: {count} queries, {chance:.1f} by chance"
        parts.append(
            Markup(
                '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"><title>{}</title></rect>'
            ).format(x + slot * 0.1, height - tall, slot * 0.8, tall, about)
        )
        level = height - chance / most * height
        parts.append(
            Markup('<line class="chance" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
                x, x + slot, level, level
            )
        )
        if len(counts) <= 18 or index == 0 or index % 5 == 4:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" class="mid">{}</text>').format(x + slot / 2, height + 18, ranks)
            )
        if count:
            parts.append(
                Markup('<text x="{:.1f}" y="{:.1f}" class="mid small">{}</text>').format(
                    x + slot / 2, height - tall - 4, count
                )
            )
    parts.append(
        Markup('<text x="{}" y="{}" class="mid axis">rank of the right photo</text>').format(width / 2, height + 38)
    )
    return _svg(width, height, "Ranks of the right photo", parts)


def confusion_chart(names: Sequence[str], columns: Sequence[str], shares: NDArray[np.float64]) -> Markup:
    """A square for each pair of classes; the more top photos of the row are of the column's class, the stronger."""
    label = 8 * max(len(name) for name in columns) + 8  # px for names along both sides
    cell = Markup(
        '<rect class="{}" x="{}" y="{}" width="19" height="19" fill-opacity="{:.3f}"><title>{}</title></rect>'
    )
    parts = []
    for row, name in enumerate(names):
        y = row * _CELL
        parts.append(Markup('<text x="-6" y="{}" class="end">{}</text>').format(y + 14, name))
        for column, other in enumerate(columns):
            share = float(shares[row, column])
            kind = "empty" if share < 0.005 else "right" if row == column else "wrong"
            strength = 1 if kind == "empty" else 0.08 + 0.92 * share
            about = f"{name}: {100 * share:.1f}% of the top photos are of {other}"
            parts.append(cell.format(kind, column * _CELL, y, strength, about))
    for column, name in enumerate(columns):
        where = f"translate({column * _CELL + 14} -6) rotate(-90)"
        parts.append(Markup('<text transform="{}">{}</text>').format(where, name))
    margin = {"left": label, "top": label, "right": 10, "bottom": 6}
    return _svg(len(columns) * _CELL, len(names) * _CELL, "Confusion of classes", parts, margin)


def _svg(
    width: float, height: float, title: str, parts: Sequence[Markup], margin: dict[str, int] | None = None
) -> Markup:
    margin = margin or _MARGIN
    full_width = width + margin["left"] + margin["right"]
    full_height = height + margin["top"] + margin["bottom"]
    return Markup('<svg viewBox="{} {} {} {}" style="max-width:{}px" role="img" aria-label="{}">{}</svg>').format(
        -margin["left"], -margin["top"], full_width, full_height, full_width, escape(title), Markup("").join(parts)
    )
