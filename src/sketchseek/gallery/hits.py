"""The photos that a search found, as data and as thumbnails."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sketchseek.wording import shown

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL = 160  # px, the longer side
LEAST_RELEVANCE = 0.1  # below one chance in ten that a photo was meant, it is only one of the nearest


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that was found.

    ``score``: cosine with the query, -1..1. ``relevance``: probability that the user meant it, 0..1; None for a photo
    that no search found. ``id`` comes from the content: it survives moves. ``width``, ``height`` in px,
    upright. ``taken`` from the camera, without time zone. ``duplicates``: files folded under this one: the same bytes
    or, with ``fold``, nearly the same. ``colours``: a small picture of it (see ``sketchseek.colours``), if it is kept.
    """

    id: str
    path: Path
    score: float
    relevance: float | None
    width: int
    height: int
    taken: datetime | None
    duplicates: tuple[Path, ...] = ()
    colours: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def weak(self) -> bool:
        """Whether it is only one of the nearest: probably not what was meant."""
        return self.relevance is not None and self.relevance < LEAST_RELEVANCE

    def thumbnail(self, side: int = THUMBNAIL) -> "Image.Image":
        """The photo, no side longer than ``side`` px.

        Raises a ``PictureError`` if the file was removed or is no longer a photo.
        """
        from PIL import Image

        from sketchseek.pictures import load_photo

        image = Image.fromarray(load_photo(self.path, target=side))
        image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return image

    def caption(self) -> str:
        """Score, and relevance where there is one."""
        return f"{self.score:.3f}" + (f" · {self.relevance:.0%}" if self.relevance is not None else "")

    def _repr_html_(self) -> str:
        return figure(self)


class Hits(list[Hit]):
    """Hits, best first; a notebook shows them as thumbnails.

    ``filtered``: a sentence if no photo passes the filters.
    """

    def __init__(self, hits: Iterable[Hit] = (), filtered: str | None = None) -> None:
        super().__init__(hits)
        self.filtered = filtered

    @property
    def weak(self) -> bool:
        """Whether all hits are only the nearest; False if there are none."""
        return bool(self) and all(hit.weak for hit in self)

    def why_none(self, photos: int) -> str | None:
        """Why a search among ``photos`` photos found nothing, in one sentence; None if there are hits."""
        if self:
            return None
        if not photos:
            return "the gallery holds no photos yet."
        return self.filtered or f"nothing similar enough among {photos:,} photos."

    def _repr_html_(self) -> str:
        return figures(self) if self else "<p>Nothing found.</p>"


def figures(hits: Sequence[Hit]) -> str:
    """All hits side by side."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(map(figure, hits))}</div>'


def figure(hit: Hit) -> str:
    """One hit as HTML that needs no other file."""
    from sketchseek.errors import SketchseekError

    try:
        stream = io.BytesIO()
        hit.thumbnail().save(stream, "JPEG", quality=85)
        picture = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}">'
    except SketchseekError as error:
        picture = f"<em>{html.escape(str(error))}</em>"
    name, place = html.escape(shown(hit.path.name)), html.escape(shown(hit.path))
    more = f"<br>and {len(hit.duplicates)} more like it" if hit.duplicates else ""
    return (
        f'<figure style="margin:0;width:{THUMBNAIL}px;font:12px sans-serif;overflow-wrap:anywhere" title="{place}">'
        f"{picture}"
        f"<figcaption>{hit.caption()}<br>{name}{more}</figcaption></figure>"
    )
