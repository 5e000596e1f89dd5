"""Run a search that the page saved: what it keeps for itself, as arguments of ``Gallery.search``.

The page saves its address (``js/address.js``) and the strokes of the drawing. Other drawings and pictures lie in the
browser that added them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sketchseek.errors import SketchseekError
from sketchseek.pictures import PictureError
from sketchseek.pictures.strokes import sketch_from_strokes
from sketchseek.server.folder_names import FolderNames
from sketchseek.wording import shown

SHEET = (1000, 800)  # of the page's drawings
MEDIUM = 12  # width of a line of width 1, on this sheet
FOLD = 0.97  # cosine of near-duplicates, which the page shows as one photo


def arguments_of(name: str, query: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """The arguments; an error in one sentence if the search ``name`` cannot run here. ``folders``: the gallery's."""
    address = query.get("address")
    if not isinstance(address, str):
        raise _unreadable(name)
    given = parse_qs(address, max_num_fields=1000)
    if given.get("sketch") or given.get("photo"):
        raise SketchseekError(
            f"the search {shown(name, 60)} uses a picture that only the browser has that saved it; open it on the page."
        )
    if not {"text", "drawing", "like"} & given.keys():
        raise _unreadable(name)
    under = given.get("under", [""])[0]
    folder = FolderNames(folders).find(under) if under else None
    if under and folder is None:
        raise SketchseekError(f"the search {shown(name, 60)} is for the folder {shown(under, 60)}, which has gone.")
    try:
        sketch = [_drawing(query["strokes"])] if given.get("drawing") else []
        balance, threshold = (float(given.get(one, [usual])[0]) for one, usual in (("balance", 50), ("threshold", 0)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, PictureError):
        raise _unreadable(name) from None
    text, drawn = given.get("text", []), min(1.0, 2 - balance / 50)
    taken = given.get("from", [None])[0], given.get("to", [None])[0]
    weights = {"sketch": drawn, "text": min(1.0, balance / 50)} if text and sketch else {}
    if given.get("colours") == ["only"] and sketch and sketch[0].colours:
        weights["sketch"] = 0.0
        if not {"text", "minus", "like", "unlike"} & given.keys():
            threshold = 0.0  # colours alone give no relevance
    return {
        "sketch": sketch,
        "text": text,
        "minus": [part.strip() for part in given.get("minus", [""])[0].split(",") if part.strip()],
        **{how: [mark.partition(":")[0] for mark in given.get(how, [])] for how in ("like", "unlike")},
        "weights": weights,
        "look": given.get("look", ["both"])[0],
        "min_relevance": threshold / 100,
        "under": folder,
        "taken": None if taken == (None, None) else taken,
        **{one: given.get(one, [None])[0] for one in ("name", "kind", "camera")},
        "fold": None if given.get("fold") == ["no"] else FOLD,
    }


def _drawing(strokes: Sequence[Mapping[str, Any]]) -> Any:
    widths = [stroke["width"] * sum(stroke["pressures"]) / len(stroke["pressures"]) / MEDIUM for stroke in strokes]
    lines = [[stroke["xs"], stroke["ys"]] for stroke in strokes]
    colours = [stroke.get("colour") for stroke in strokes]
    rounded = [round(width, 2) for width in widths]
    return sketch_from_strokes(lines, sheet=SHEET, widths=rounded, colours=colours if any(colours) else None)


def _unreadable(name: str) -> SketchseekError:
    return SketchseekError(
        f"the search {shown(name, 60)} is not one that the page of this version saves; save it again."
    )
