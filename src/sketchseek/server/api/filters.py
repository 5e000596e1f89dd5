"""Which hits of a ranking are wanted; the same for every route that ranks."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sketchseek.gallery.ranking import dates
from sketchseek.server.errors import Refused
from sketchseek.server.places import Places
from sketchseek.server.protection import limits

Day = Annotated[str, Field(max_length=19, examples=["2024-05"])]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Filters(BaseModel):
    """``offset`` counts hits of the same query that were taken already."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(limits.DEFAULT_HITS, ge=1, le=limits.MOST_HITS)
    offset: int = Field(0, ge=0, le=limits.DEEPEST)
    min_score: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    min_relevance: Share | None = None
    under: str | None = Field(None, max_length=4096)
    taken_from: Day | None = None
    taken_to: Day | None = None
    fold: Share | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values

    def options(self, places: Places) -> dict[str, Any]:
        """Arguments of ``Gallery.search``, with one hit more than is wanted: whether there are more."""
        folder = None
        if self.under is not None:
            folder = places.find(self.under)
            if folder is None:
                raise Refused(422, "under: the gallery has no such folder; take one that /api/status or a hit names.")
        if self.offset + self.k > limits.DEEPEST:
            raise Refused(422, f"offset: paging ends after {limits.DEEPEST} hits; make the search narrower.")
        taken = (self.taken_from, self.taken_to)
        dates(taken)  # says what is wrong with them even where nothing can be found
        return {
            "k": self.offset + self.k + 1,
            "min_score": self.min_score,
            "min_relevance": self.min_relevance,
            "under": folder,
            "taken": None if taken == (None, None) else taken,
            "fold": self.fold,
        }
