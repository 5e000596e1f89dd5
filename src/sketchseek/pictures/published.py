"""The preprocessing that a published checkpoint states -> our preprocessing records."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sketchseek.errors import SketchseekError
from sketchseek.pictures.preprocessing import CLIP_PHOTOS, CLIP_SKETCHES, Preprocessing
from sketchseek.wording import shown

Stated = Mapping[str, Any]

# Pillow's numbers, as used in preprocessor_config.json
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_OPEN_CLIP_FIT = {"shortest": "crop", "longest": "pad", "squash": "squash"}


def published_preprocessing(
    side: int, *, processor: Stated | None = None, open_clip: Stated | None = None
) -> tuple[Preprocessing, Preprocessing]:
    """The records for photos and for sketches, for an image tower with ``side`` pixels.

    Photos are prepared as ``processor`` (a preprocessor_config.json) or ``open_clip`` (a preprocess_cfg) says, or by
    default as for OpenAI's CLIP (shorter side to ``side``, centre crop). No checkpoint describes sketches: they are
    placed by our rules, with the checkpoint's mean and deviation. Raises ``SketchseekError`` with a reason.
    """
    photos = replace(CLIP_PHOTOS, size=side, fit="crop")
    try:
        if processor is not None:
            photos = replace(photos, **_transformers_fields(processor, side))
        elif open_clip is not None:
            photos = replace(photos, **_open_clip_fields(open_clip))
    except (KeyError, TypeError, AttributeError, SketchseekError) as error:
        raise SketchseekError(f"this preprocessing is not supported ({shown(str(error), 200)})") from None
    if photos.size != side:
        raise SketchseekError(f"it prepares {photos.size} pixels a side, but the weights require {side}")
    return photos, replace(
        CLIP_SKETCHES, size=side, interpolation=photos.interpolation, mean=photos.mean, std=photos.std
    )


def _transformers_fields(written: Stated, side: int) -> dict[str, Any]:
    """The fields set by a preprocessor_config.json; older files have plain numbers as sizes, newer ones objects."""
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if not written.get(step, True):
            raise SketchseekError(f"{step} is off")
    if abs(written.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-3:
        raise SketchseekError(f"rescale_factor is {written['rescale_factor']}, not 1/255")
    # A model of any shape of picture (SigLIP 2 NaFlex) states no size.
    size = written.get("size", {"height": side} if "max_num_patches" in written else 224)
    crop = written.get("crop_size", size)
    shorter = size.get("shortest_edge", size.get("height")) if isinstance(size, dict) else size
    square = crop.get("height", crop.get("shortest_edge")) if isinstance(crop, dict) else crop
    cropped = written.get("do_center_crop", True)
    if cropped and shorter != square:
        raise SketchseekError(f"resizing to {shorter} before cropping to {square} is not supported")
    keeps_shape = not isinstance(size, dict) or "shortest_edge" in size
    if keeps_shape and not cropped:
        raise SketchseekError("pictures that are not made square are not supported")
    return {
        "size": square if cropped else shorter,
        "fit": "crop" if keeps_shape else "squash",
        "interpolation": _RESAMPLE[written.get("resample", 3)],
        "mean": written["image_mean"],
        "std": written["image_std"],
    }


def _open_clip_fields(written: Stated) -> dict[str, Any]:
    """The fields set by open_clip's preprocess_cfg."""
    return {
        "fit": _OPEN_CLIP_FIT[written.get("resize_mode", "shortest")],
        "interpolation": written.get("interpolation", "bicubic"),
        "mean": written["mean"],
        "std": written["std"],
    }
