"""A contact sheet of hits, as a PNG or a self-contained HTML file."""

import html
import os
from collections.abc import Sequence
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.hits import THUMBNAIL, Hit, figures
from sketchseek.wording import shown

COLUMNS = 5
GAP, LINE = 12, 14  # px


def write_sheet(hits: Sequence[Hit], path: str | os.PathLike[str], title: str) -> None:
    """Write ``hits`` to ``path``; its suffix, ``.png`` or ``.html``, chooses the format."""
    path = Path(path)
    writers = {".png": _png, ".html": _html, ".htm": _html}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise GalleryError(f"a sheet is a .png or .html file, not {shown(path)}; name one of these.")
    try:
        write(hits, path, title)
    except OSError as error:
        raise GalleryError(
            f"the sheet {shown(path)} cannot be written ({error.strerror or error}); name another place."
        ) from error


def _html(hits: Sequence[Hit], path: Path, title: str) -> None:
    heading = html.escape(title)
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title>'
        f'<body style="margin:24px;font-family:sans-serif"><h1 style="font-size:18px">{heading}</h1>'
        f"{figures(hits)}</body></html>\n",
        encoding="utf-8",
    )


def _png(hits: Sequence[Hit], path: Path, title: str) -> None:
    from PIL import Image, ImageDraw

    cell = THUMBNAIL + GAP
    rows = -(-len(hits) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * cell + GAP, rows * (cell + 2 * LINE) + 2 * GAP + LINE), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP // 2), _fitting(draw, title, sheet.width - 2 * GAP), fill="black")
    for place, hit in enumerate(hits):
        left, top = GAP + place % COLUMNS * cell, GAP + LINE + place // COLUMNS * (cell + 2 * LINE)
        try:
            picture = hit.thumbnail()
        except SketchseekError:
            draw.text((left, top), "cannot be shown", fill="firebrick")
        else:
            sheet.paste(picture, (left + (THUMBNAIL - picture.width) // 2, top + (THUMBNAIL - picture.height) // 2))
        draw.text((left, top + THUMBNAIL), hit.caption(), fill="black")
        draw.text((left, top + THUMBNAIL + LINE), _fitting(draw, shown(hit.path.name), THUMBNAIL), fill="dimgray")
    sheet.save(path, "PNG")


def _fitting(draw: "ImageDraw.ImageDraw", text: str, width: int) -> str:  # type: ignore[name-defined] # noqa: F821
    """The text, shortened in the middle if it is too wide. Letters that the built-in font lacks show as boxes."""
    if draw.textlength(text) <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and draw.textlength(f"{text[: keep // 2]}...{text[-(keep // 2) :]}") > width:
        keep -= 1
    return f"{text[: keep // 2]}...{text[-(keep // 2) :]}"
