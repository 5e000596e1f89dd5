"""Photos that were found: print them, or put them into another folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sketchseek.cli.output import print_json, print_message, print_paths, print_table
from sketchseek.errors import SketchseekError
from sketchseek.wording import counted, shown

if TYPE_CHECKING:
    from sketchseek.gallery import Gallery, Hits


def copy_photos(gallery: "Gallery", paths: Sequence[Path], folder: Path, how: Literal["copy", "link"] = "copy") -> None:
    """Copy photos, or link to them, and say so; not into folders that were indexed, which stay as they are.

    An error at the end if some could not be read.
    """
    from sketchseek.gallery.collections import check_outside, export

    check_outside(folder, gallery.path, gallery.stats().folders)
    found = export(paths, folder, how)
    print_message(f"sketchseek: {counted(len(found.done), 'photo')} in {shown(folder)}")
    if found.failed:
        for sentence in found.failed[1:]:
            print_message(f"sketchseek: {sentence.removesuffix('.')}")
        raise SketchseekError(found.failed[0])


def print_hits(hits: "Hits", total: int, *, as_json: bool, paths0: bool) -> None:
    """Hits as a table, as JSON or as paths, and a sentence if there are none or only weak ones.

    ``total``: photos in the gallery.
    """
    if as_json:
        print_json(
            [
                {"path": str(hit.path), "score": round(hit.score, 6), "relevance": hit.relevance, "id": hit.id}
                for hit in hits
            ]
        )
    elif paths0:
        print_paths([hit.path for hit in hits], end=b"\0")
    elif hits:
        shares = ["" if hit.relevance is None else f"{hit.relevance:.0%}" for hit in hits]
        rows = [[f"{hit.score:.3f}", share, shown(hit.path)] for hit, share in zip(hits, shares, strict=True)]
        print_table(rows, ["score", "relevance", "path"])
    if hits.weak and not as_json:
        print_message("sketchseek: nothing is really like it; these are the nearest photos")
    nothing = hits.why_none(total)
    if nothing is not None:
        hint = "" if total else "; run sketchseek index FOLDER"
        print_message(f"sketchseek: {nothing.removesuffix('.')}{hint}")
