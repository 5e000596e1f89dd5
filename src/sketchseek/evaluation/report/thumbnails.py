"""Small pictures that stand in an HTML page as text."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchseek.datasets import Dataset, Drawing, Photo
from sketchseek.pictures import Preprocessing, fit, load_photo, load_sketch

SIDE = 96  # px
_QUALITY = 60
_PHOTO = Preprocessing(size=SIDE, fit="crop")
_SKETCH = Preprocessing(size=SIDE, fit="pad", fill=(255, 255, 255))


def picture(dataset: Dataset, item: Drawing | Photo) -> NDArray[np.uint8]:
    """A small square picture (SIDE, SIDE, 3): a photo cropped to its middle, a sketch whole on white."""
    file = dataset.file(item)
    if isinstance(item, Drawing):
        return fit(load_sketch(file), _SKETCH)
    return fit(load_photo(file, target=SIDE), _PHOTO)


class Thumbnails:
    """Data URIs of pictures (WebP, about 2 kB each), each made once."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._made: dict[str, str] = {}

    def uri(self, item: Drawing | Photo) -> str:
        """``data:image/webp;base64,...``"""
        if item.path not in self._made:
            with io.BytesIO() as stream:
                Image.fromarray(picture(self._dataset, item)).save(stream, "WEBP", quality=_QUALITY, method=4)
                encoded = base64.b64encode(stream.getvalue()).decode("ascii")
            self._made[item.path] = f"data:image/webp;base64,{encoded}"
        return self._made[item.path]
