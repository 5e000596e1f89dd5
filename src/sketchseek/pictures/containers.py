"""The formats whose decoders are extras: HEIC photos of phones, and camera RAW by the preview inside it."""

import io
import re
from typing import Any, BinaryIO

from PIL import Image

from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import HEIF, RAW
from sketchseek.pictures.limits import check_size

# Entries of the list of what a file holds: version 2 or 3, a number of 2 or 4 bytes, two more, and the kind.
_KINDS = re.compile(rb"infe(?:\x02.{7}|\x03.{9})(.{4})", re.DOTALL)
# LibRaw's code of the camera's orientation -> EXIF orientation.
_FLIPS = {1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}


def open_heif(stream: BinaryIO, name: str, max_pixels: int | None) -> Image.Image:
    """The primary picture of a HEIC or HEIF file, upright."""
    try:
        import pi_heif
    except ImportError:
        raise PictureError(name, f"is HEIC, which needs an extra: pip install {HEIF.install}") from None
    container: Any = pi_heif.open_heif(_without_metadata(stream.read()))
    check_size(container.size, name, max_pixels)
    image: Image.Image = container.to_pillow()
    return image


def heif_facts(data: bytes) -> tuple[tuple[int, int], bytes]:
    """(width, height) of the primary picture, upright, and its EXIF; empty if it has none that can be read safely."""
    import pi_heif

    safe = all(kind.isascii() for kind in _KINDS.findall(data))
    container: Any = pi_heif.open_heif(data if safe else _without_metadata(data))
    return container.size, container.info.get("exif") or b""


def _without_metadata(data: bytes) -> bytes:
    """The file with its EXIF and XMP detached from every picture; the orientation is stored elsewhere.

    pi-heif always reads them, and crashes the process if the name of their kind is not text (seen in 1.4.0).
    """
    cleaned, at = bytearray(data), 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        end = at + size if size else len(data)
        if end < at + 8:  # damaged: the decoder reports it
            break
        if data[at + 4 : at + 8] == b"meta":
            cleaned[at:end] = data[at:end].replace(b"cdsc", b"free")  # the reference "describes the content of"
        at = end
    return bytes(cleaned)


def raw_preview(stream: BinaryIO, name: str, max_pixels: int | None) -> tuple[Image.Image | io.BytesIO, int]:
    """The preview inside a camera file (a picture, or the bytes of a JPEG), and the camera's EXIF orientation.

    Developing the sensor's data instead would take seconds for each file and look unlike what the camera showed.
    """
    try:
        import rawpy
    except ImportError:
        raise PictureError(name, f"is camera RAW, which needs an extra: pip install {RAW.install}") from None
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
