"""What a drawing says about colours: which of them lies where on its sheet."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.colours import CELLS, Paint
from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEAD_BYTES, format_of
from sketchseek.pictures.photo import load_photo
from sketchseek.pictures.sketch import RasterSketch, Sketch, darkness, load_sketch
from sketchseek.pictures.sources import Source, display_name, file_name, open_source
from sketchseek.pictures.strokes import MAX_COLOURS, StrokeSketch, render

_SIDE = 8 * CELLS  # px of a sheet on which strokes are drawn
_LINE = 0.02  # width of a stroke of width 1, as a share of the sheet
_COLOURED = 64  # least difference between the channels of a coloured pixel
_LEAST = 0.02  # of the coloured pixels: less are the edges of lines
_TARGET = 512  # px


def load_paint(source: Source | Sketch) -> Paint:
    """The colours of a drawing: of strokes that have some, else of the coloured pixels. Black and grey say nothing.

    Raises only ``PictureError``, whatever the source holds, also if it has no colours.
    """
    if isinstance(source, StrokeSketch):
        if (found := paint_of(source)) is None:
            raise PictureError("the drawing", "has no coloured strokes")
        return found
    if isinstance(source, RasterSketch):
        return _of_pixels(source.pixels, "the drawing")
    label = display_name(source, None)
    with open_source(source, label) as stream:
        format = format_of(stream.read(HEAD_BYTES), file_name(source, None))
    if format is not None and format.drawing:
        drawing = load_sketch(source)
        if isinstance(drawing, StrokeSketch):
            raise PictureError(label, "has strokes without colours; give a picture or an SVG")
        return _of_pixels(drawing.pixels, label)
    return _of_pixels(load_photo(source, target=_TARGET), label)  # as a sketch, black paper would be inverted


def paint_of(sketch: Sketch) -> Paint | None:
    """The colours that strokes were given; None for pixels, whose pen may have been coloured by chance."""
    if not isinstance(sketch, StrokeSketch) or sketch.colours is None:
        return None
    used = list(dict.fromkeys(colour for colour in sketch.colours if colour is not None))
    cover = np.stack([_cover_of_strokes(sketch, colour) for colour in used])
    return Paint(np.array(used, np.uint8), cover) if cover.any() else None


def _cover_of_strokes(sketch: StrokeSketch, colour: tuple[int, int, int]) -> NDArray[np.float32]:
    """How much of each cell the strokes of a colour cover, 0..1: (CELLS, CELLS); the sheet fills all cells."""
    assert sketch.colours is not None
    of_colour = [number for number, own in enumerate(sketch.colours) if own == colour]
    widths = sketch.widths or (1.0,) * len(sketch.strokes)
    part = replace(
        sketch,
        strokes=tuple(sketch.strokes[number] for number in of_colour),
        widths=tuple(widths[number] for number in of_colour),
        colours=None,
    )
    left, top, right, bottom = (0.0, 0.0, *sketch.sheet) if sketch.sheet else sketch.bounds()
    across, down = (_SIDE / max(right - left, 1e-9), _SIDE / max(bottom - top, 1e-9))
    drawn = render(part, (_SIDE, _SIDE), (across, down), (-left * across, -top * down), _LINE * _SIDE)
    return _by_cell(darkness(drawn))


def _of_pixels(pixels: NDArray[np.uint8], name: str) -> Paint:
    coloured = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2) >= _COLOURED
    # Shades of one pen are one colour: eight steps a channel.
    step = (pixels[coloured] >> 5).astype(np.int32)
    _, places, counts = np.unique(
        (step[:, 0] * 8 + step[:, 1]) * 8 + step[:, 2], return_inverse=True, return_counts=True
    )
    often = [code for code in np.argsort(-counts, kind="stable")[:MAX_COLOURS] if counts[code] >= _LEAST * len(step)]
    if not often:
        raise PictureError(name, "has no colours; draw with a coloured pen")
    own = pixels[coloured]
    cover, colours = [], []
    for code in often:
        mask = np.zeros(coloured.shape, np.uint8)
        mask[coloured] = 255 * (places == code)
        cover.append(_by_cell(mask))
        colours.append(own[places == code].mean(axis=0))
    return Paint(np.rint(colours).astype(np.uint8), np.stack(cover))


def _by_cell(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much of each cell a mask of 0..255 (height, width) covers."""
    small = Image.fromarray(mask).convert("F").resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(np.asarray(small, np.float32) / 255, np.float32)
