"""The record of how pictures become model input; it is saved with the model."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from sketchseek.errors import SketchseekError
from sketchseek.wording import shown

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Fit = Literal["squash", "pad", "crop"]
Placement = Literal["as_drawn", "ink"]
Triple = tuple[float, float, float]

# The statistics that the published weights were trained with.
CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)

MAX_SIZE = 4096
_MOST = 60  # characters of a wrong value in a message
_LARGEST = 1e6  # of any number in a record; NaN fails this check too
_VERSION = 1  # increases when a field is added, or when the same record gives other numbers


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a (3, size, size) array. A model holds two of these: one for photos, one for sketches.

    ``fit``: the whole picture squashed to the square, padded with ``fill``, or its central square cropped.
    ``placement`` of sketches: ``as_drawn`` keeps the sheet (and uses ``fit``), ``ink`` crops to what is drawn and
    centres it on white with ``margin``. ``margin`` and ``stroke_width`` are fractions of ``size``; the width is that of
    strokes, drawings in pixels or SVG keep their own.
    """

    size: int = 224
    interpolation: Interpolation = "bicubic"
    fit: Fit = "pad"
    fill: tuple[int, int, int] = BLACK
    mean: Triple = CLIP_MEAN
    std: Triple = CLIP_STD
    placement: Placement = "as_drawn"
    margin: float = 0.05
    stroke_width: float = 0.015

    def __post_init__(self) -> None:
        _check(
            _is_whole(self.size) and 1 <= self.size <= MAX_SIZE,
            "size",
            self.size,
            f"a whole number from 1 to {MAX_SIZE}",
        )
        for field, choices in (("interpolation", Interpolation), ("fit", Fit), ("placement", Placement)):
            value = getattr(self, field)
            _check(value in get_args(choices), field, value, "one of " + ", ".join(get_args(choices)))
        fill = _triple(self.fill)
        _check(
            all(_is_whole(x) and 0 <= x <= 255 for x in fill), "fill", self.fill, "three whole numbers from 0 to 255"
        )
        mean, std = _triple(self.mean), _triple(self.std)
        _check(all(_is_number(x) for x in mean), "mean", self.mean, "three numbers")
        _check(all(_is_number(x) and x >= 1 / _LARGEST for x in std), "std", self.std, "three numbers above 0")
        _check(
            _is_number(self.margin) and 0 <= self.margin < 0.5, "margin", self.margin, "a fraction from 0 to below 0.5"
        )
        _check(
            _is_number(self.stroke_width) and 0 < self.stroke_width <= 0.5,
            "stroke_width",
            self.stroke_width,
            "a fraction up to 0.5",
        )
        # One type for every value, so that equal records have equal fingerprints.
        object.__setattr__(self, "fill", fill)
        object.__setattr__(self, "mean", tuple(map(float, mean)))
        object.__setattr__(self, "std", tuple(map(float, std)))
        object.__setattr__(self, "margin", float(self.margin))
        object.__setattr__(self, "stroke_width", float(self.stroke_width))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for a model's ``config.json``."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {"version": _VERSION, **values}

    @classmethod
    def from_json(cls, record: dict[str, Any] | str) -> Self:
        """The record back from :meth:`to_json`, as an object or as text; unknown fields are errors."""
        if isinstance(record, str):
            try:
                record = json.loads(record)
            except (ValueError, RecursionError) as error:
                raise SketchseekError(f"preprocessing record: not JSON ({error})") from None
        if not isinstance(record, dict):
            raise SketchseekError("preprocessing record: not a JSON object")
        values = dict(record)
        version = values.pop("version", None)
        if version != _VERSION:
            raise SketchseekError(
                f"preprocessing record: version {shown(repr(version), _MOST)} is unknown,"
                f" this sketchseek reads version {_VERSION}; a model of a newer sketchseek needs that sketchseek"
            )
        known = {field.name for field in fields(cls)}
        if values.keys() != known:
            wrong = ", ".join(sorted(map(str, values.keys() ^ known)))
            raise SketchseekError(f"preprocessing record: unknown or missing fields: {shown(wrong, 5 * _MOST)}")
        return cls(**values)

    @property
    def fingerprint(self) -> str:
        """64 hex digits: the same for equal records on every machine, for the keys of caches."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _triple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) and len(value) == 3 else (None,) * 3


def _check(holds: bool, field: str, value: object, expected: str) -> None:
    if not holds:
        raise SketchseekError(f"preprocessing record: {field} is {shown(repr(value), _MOST)}, it must be {expected}")


CLIP_PHOTOS = Preprocessing(fill=BLACK)
CLIP_SKETCHES = Preprocessing(fill=WHITE, placement="ink")
