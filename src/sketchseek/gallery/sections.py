"""The photos of a gallery to browse without a query: sections by month or by folder, and pages of a section."""

from dataclasses import dataclass
from pathlib import Path

SECTION_PAGE = 200  # photos


@dataclass(frozen=True, slots=True)
class Section:
    """The photos of a month ("2024-05"), newest first, or of none (None: they have no date), in the order of indexing.

    With a ``folder``: the photos directly in it, by file name, whatever their month.
    ``pages``: the id of every ``SECTION_PAGE``-th photo from the first; any page can be read without those before it.
    """

    month: str | None
    count: int
    pages: tuple[str, ...]
    folder: Path | None = None
