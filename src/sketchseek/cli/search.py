"""``sketchseek search``: find photos by drawing, by words or by example."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.cli.get_model import model_for
from sketchseek.cli.options import COUNT, DEVICE, GALLERY, PATHS0, ROOT, YES
from sketchseek.cli.photos import copy_photos, print_hits
from sketchseek.errors import SketchseekError
from sketchseek.wording import nearest, shown

if TYPE_CHECKING:
    from sketchseek.gallery import Gallery
    from sketchseek.neighbours import Look

LOOKS = ("picture", "both", "kind", "direct")


@click.command(short_help="Find photos by drawing, words or example.")
@click.argument("drawings", nargs=-1, metavar="[DRAWING]...")
@GALLERY
@ROOT
@click.option("--model", metavar="M", help="Model that encodes the query.  [default: the gallery's own]")
@YES
@DEVICE
@click.option("--text", "texts", metavar="T", multiple=True, help="Words that describe the photo; may be repeated.")
@click.option("--photo", "photos", metavar="P", multiple=True, help="A photo that is similar; may be repeated.")
@click.option(
    "--colours",
    metavar="FILE",
    multiple=True,
    help="A picture whose coloured lines say where which colour is; its shape does not count. May be DRAWING itself.",
)
@click.option("--minus", metavar="X", multiple=True, help="Words for what should not be in the photo; may be repeated.")
@click.option(
    "--weight",
    "weights",
    metavar="KIND=W",
    multiple=True,
    help="Weight of sketch, photo, text, colours or minus, such as text=0.5; may be repeated.",
)
@click.option(
    "--look",
    metavar="WHAT",
    type=click.Choice(LOOKS),
    default="both",
    show_default=True,
    help="Look for this very picture, more of its kind, or both: picture, kind, both; direct orders by score alone.",
)
@COUNT
@click.option(
    "--min-score",
    metavar="S",
    type=click.FloatRange(-1, 1),
    help="Drop hits with a cosine below S.",
)
@click.option(
    "--under", metavar="FOLDER", type=click.Path(path_type=Path), help="Only photos in this folder and its subfolders."
)
@click.option(
    "--taken",
    metavar="DATES",
    help="Only photos taken then: 2024, 2024-05, 2023-12..2024-02, 2024.. or ..2019.",
)
@click.option("--name", metavar="N", help="Only files with N in their names, in upper or lower case.")
@click.option(
    "--kind", metavar="K", help="Only files of this kind: jpeg, png, webp, gif, avif, bmp, tiff, raw or heif."
)
@click.option("--camera", metavar="C", help='Only photos of this camera, such as "NIKON D90"; its whole name.')
@click.option(
    "--fold",
    metavar="C",
    type=click.FloatRange(0, 1),
    help="Fold photos whose cosine with a better hit is at least C into that hit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {path, score, relevance, id}.")
@PATHS0
@click.option(
    "--copy-to",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Also copy the photos into FOLDER, which must not be an indexed one; nothing is overwritten.",
)
@click.option(
    "--sheet", metavar="FILE", type=click.Path(path_type=Path), help="Also write a contact sheet, .png or .html."
)
def command(
    drawings: tuple[str, ...],
    gallery: str | None,
    model: str | None,
    yes: bool,
    texts: tuple[str, ...],
    photos: tuple[str, ...],
    colours: tuple[str, ...],
    minus: tuple[str, ...],
    weights: tuple[str, ...],
    look: "Look",
    count: int,
    min_score: float | None,
    under: Path | None,
    taken: str | None,
    name: str | None,
    kind: str | None,
    camera: str | None,
    fold: float | None,
    as_json: bool,
    paths0: bool,
    copy_to: Path | None,
    sheet: Path | None,
) -> None:
    """Find photos by DRAWING, a file in any sketch format ("-": from stdin), by words, colours or another photo.

    They can be combined.
    """
    from sketchseek.gallery import Gallery

    if not (drawings or texts or photos or colours):
        raise click.UsageError("name a drawing, or use --text, --photo or --colours.")
    if as_json and paths0:
        raise click.UsageError("--json and --paths0 exclude each other.")
    _check_files(drawings)
    with Gallery.open(gallery, model_for(model, yes=yes), readonly=True) as opened:
        if camera is not None:
            _check_camera(opened, camera)
        hits = opened.search(
            sketch=[sys.stdin.buffer.read() if drawing == "-" else drawing for drawing in drawings],
            text=texts,
            photo=photos,
            colours=colours,
            minus=minus,
            weights=dict(map(_weight, weights)),
            k=count,
            look=look,
            min_score=min_score,
            under=under,
            taken=_range(taken),
            name=name,
            kind=kind,
            camera=camera,
            fold=fold,
        )
        total = 0 if hits else opened.stats().photos
        if copy_to and hits:
            copy_photos(opened, [hit.path for hit in hits], copy_to)
    if sheet:
        from sketchseek.gallery.sheet import write_sheet

        write_sheet(hits, sheet, f"{len(hits)} photos for {' + '.join([*drawings, *texts, *photos, *colours])}")
    print_hits(hits, total, as_json=as_json, paths0=paths0)


def _check_camera(gallery: "Gallery", camera: str) -> None:
    """A camera that took no photo of the gallery is an error, which names similar ones."""
    from sketchseek.gallery import GalleryError

    try:
        known = gallery.cameras()
    except GalleryError:  # a gallery on a server does not list them
        return
    if camera in known:
        return
    close = [name for name in known if camera.lower() in name.lower()] or nearest(camera, known)
    hint = f"perhaps you mean {' or '.join(close[:3])}" if close else "sketchseek gallery info lists the cameras"
    raise SketchseekError(f"no photo of this gallery names the camera {shown(camera, 60)!r}; {hint}")


def _check_files(drawings: Sequence[str]) -> None:
    """Drawings that do not exist are an error, which says how to search for words."""
    missing = [drawing for drawing in drawings if drawing != "-" and not os.path.exists(drawing)]  # noqa: PTH110
    if not missing:
        return
    words = [name for name in missing if "." not in name and "/" not in name and os.sep not in name]
    hint = f'; to search for words, write --text "{" ".join(words)}"' if words == missing else ""
    raise SketchseekError(f"{shown(missing[0])}: there is no such file{hint}")


def _percent(relevance: float | None) -> str:
    return "" if relevance is None else f"{relevance:.0%}"


def _weight(text: str) -> tuple[str, float]:
    kind, _, number = text.partition("=")
    try:
        return kind, float(number)
    except ValueError:
        raise SketchseekError(f"--weight {text}: write KIND=NUMBER, as in --weight text=0.5.") from None


def _range(text: str | None) -> str | tuple[str | None, str | None] | None:
    if text is None or ".." not in text:
        return text
    first, _, last = text.partition("..")
    return first or None, last or None
