"""What a camera wrote into a photo's EXIF, as plain values that people read; whatever is damaged is omitted."""

import io
import math
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from sketchseek.pictures.formats import HEIF, PNG, RAW, TIFF, format_of
from sketchseek.pictures.header import late_exif, open_header
from sketchseek.pictures.heif import heif_facts

MAX_TEXT = 100  # characters of a name in EXIF
_NUMBERS = {
    "aperture": ExifTags.Base.FNumber,
    "exposure_s": ExifTags.Base.ExposureTime,
    "iso": ExifTags.Base.ISOSpeedRatings,
    "focal_mm": ExifTags.Base.FocalLength,
}


def camera_facts(data: bytes, name: str) -> dict[str, Any]:
    """Of a photo's file: ``camera`` and ``lens`` (text), ``aperture``, ``exposure_s``, ``iso``, ``focal_mm`` (numbers),

    ``place`` (latitude and longitude in degrees, north and east positive). Only those that are there.
    """
    try:
        exif = _exif(data, name)
        details = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
        place = _place(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # damaged in any of a dozen ways
        return {}
    found: dict[str, Any] = {"camera": camera_name(details), "lens": _text(details.get(ExifTags.Base.LensModel))}
    found |= {key: _number(details.get(tag)) for key, tag in _NUMBERS.items()}
    return {key: value for key, value in {**found, "place": place}.items() if value is not None}


def camera_name(exif: Mapping[int, Any]) -> str | None:
    """Make and model, such as "NIKON D90" or "Apple iPhone 12"; most makers repeat their name in the model."""
    make, model = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
    if model is None or make is None:
        return model
    maker = make.split()[0]
    return model if maker.casefold() in model.casefold() else f"{maker} {model}"[:MAX_TEXT]


def _exif(data: bytes, name: str) -> Image.Exif:
    format = format_of(data, name)
    if format is HEIF:
        exif = Image.Exif()
        exif.load(heif_facts(data)[1])
        return exif
    with open_header(io.BytesIO(data), TIFF if format is RAW or format is None else format) as image:
        if format is PNG and (behind := late_exif(data)):
            image.info["exif"] = behind
        return Image.Image.getexif(image)


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value if letter.isprintable()).strip()[:MAX_TEXT] or None


def _number(value: Any) -> float | None:
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return number if math.isfinite(number) and 0 < number < 1e9 else None


def _place(gps: Any) -> tuple[float, float] | None:
    try:
        latitude = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef], "S")
        longitude = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef], "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    inside = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0, 0)
    return (round(latitude, 5), round(longitude, 5)) if inside else None  # NaN is not inside


def _degrees(parts: Any, side: str, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if side.strip("\0 ").upper() == negative else value
