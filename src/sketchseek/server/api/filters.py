"""Paging, order and filters, the same for every route that returns hits."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sketchseek.gallery import filters
from sketchseek.neighbours import DEFAULT_LOOK, Look
from sketchseek.server.errors import RequestError
from sketchseek.server.folder_names import FolderNames
from sketchseek.server.protection import limits

Day = Annotated[str, Field(max_length=19, examples=["2024-05"])]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Within(BaseModel):
    """Which photos to look at: in a folder of the gallery or deeper, taken in a time, by file name, kind and camera.

    ``name`` is a part of the file name, in upper or lower case; ``camera`` is a name that /api/cameras lists.
    """

    model_config = ConfigDict(frozen=True)

    under: str | None = Field(None, max_length=4096)
    taken_from: Day | None = None
    taken_to: Day | None = None
    name: str | None = Field(None, max_length=255)
    kind: filters.Kind | None = None
    camera: str | None = Field(None, max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values

    def options(self, names: FolderNames) -> dict[str, Any]:
        """Arguments of methods of ``Gallery``."""
        folder = None
        if self.under is not None:
            folder = names.find(self.under)
            if folder is None:
                raise RequestError(422, "under: the gallery has no such folder; use one from /api/status or a hit.")
        taken = (self.taken_from, self.taken_to)
        found: dict[str, Any] = {
            "under": folder,
            "taken": None if taken == (None, None) else taken,
            "name": self.name,
            "kind": self.kind,
            "camera": self.camera,
        }
        filters.Filters(**found)  # reports wrong dates even if the gallery is empty
        return found


class Filters(Within):
    """``offset`` is the number of hits of the same query to skip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(limits.DEFAULT_HITS, ge=1, le=limits.MAX_HITS)
    offset: int = Field(0, ge=0, le=limits.MAX_OFFSET)
    look: Look = DEFAULT_LOOK
    min_score: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    min_relevance: Share = 0.0
    fold: Share | None = None

    def options(self, names: FolderNames) -> dict[str, Any]:
        """Arguments of ``Gallery.search``, for one more hit than wanted, to see whether there are more."""
        within = super().options(names)
        if self.offset + self.k > limits.MAX_OFFSET:
            raise RequestError(422, f"offset: paging ends after {limits.MAX_OFFSET} hits; narrow the search.")
        return {
            **within,
            "k": self.offset + self.k + 1,
            "look": self.look,
            "min_score": self.min_score,
            "min_relevance": self.min_relevance,
            "fold": self.fold,
        }
