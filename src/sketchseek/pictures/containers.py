"""Formats whose decoders are extras: HEIC photos of phones, and camera RAW through the preview it carries."""

import io
from typing import Any, BinaryIO

from PIL import Image

from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.limits import check_size

# LibRaw's code for how the camera was held -> EXIF orientation.
_FLIPS = {1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}


def open_heif(stream: BinaryIO, name: str, max_pixels: int | None) -> Image.Image:
    """The primary picture of a HEIC or HEIF file, upright."""
    try:
        import pi_heif
    except ImportError:
        raise PictureError(name, "is HEIC, which needs an extra: pip install 'sketchseek[heif]'") from None
    container: Any = pi_heif.open_heif(stream)
    check_size(container.size, name, max_pixels)
    image: Image.Image = container.to_pillow()
    return image


def raw_preview(stream: BinaryIO, name: str, max_pixels: int | None) -> tuple[Image.Image | io.BytesIO, int]:
    """The preview inside a camera file, a picture or the bytes of a JPEG, and the EXIF orientation of the camera.

    Developing the sensor's data instead would take seconds a file and look unlike what the camera showed.
    """
    try:
        import rawpy
    except ImportError:
        raise PictureError(name, "is camera RAW, which needs an extra: pip install 'sketchseek[raw]'") from None
    with rawpy.imread(stream) as raw:
        turn = _FLIPS.get(raw.sizes.flip, 1)
        try:
            preview: Any = raw.extract_thumb()
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            raise PictureError(name, "is camera RAW without a preview; export it as JPEG") from None
    if preview.format == rawpy.ThumbFormat.JPEG:
        return io.BytesIO(preview.data), turn
    height, width = preview.data.shape[:2]
    check_size((width, height), name, max_pixels)
    return Image.fromarray(preview.data), turn
