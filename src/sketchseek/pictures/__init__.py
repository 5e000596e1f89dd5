"""Pictures: any file, upload or drawing -> a safe, upright array -> model input.

``load_photo`` and ``load_sketch`` open a picture; ``prepare`` makes model input as a ``Preprocessing`` defines it.
"""

from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import PHOTO_SUFFIXES, SKETCH_SUFFIXES, supported_formats
from sketchseek.pictures.photo import load_photo
from sketchseek.pictures.prepare import fit, ink_map, normalise, prepare, prepare_batch
from sketchseek.pictures.preprocessing import (
    CLIP_MEAN,
    CLIP_PHOTOS,
    CLIP_SKETCHES,
    CLIP_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
)
from sketchseek.pictures.sketch import RasterSketch, Sketch, load_sketch
from sketchseek.pictures.strokes import StrokeSketch, sketch_from_strokes

__all__ = [
    "CLIP_MEAN",
    "CLIP_PHOTOS",
    "CLIP_SKETCHES",
    "CLIP_STD",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "PHOTO_SUFFIXES",
    "SKETCH_SUFFIXES",
    "PictureError",
    "Preprocessing",
    "RasterSketch",
    "Sketch",
    "StrokeSketch",
    "fit",
    "ink_map",
    "load_photo",
    "load_sketch",
    "normalise",
    "prepare",
    "prepare_batch",
    "sketch_from_strokes",
    "supported_formats",
]
