"""The table of picture formats, one row each: what a file is recognised by, and what can be done with it.

To add a format, add a row to ``FORMATS``. If Pillow does not open it, add a decoder to ``decoding.DECODERS``, or to
``sketch.PARSERS`` for a drawing.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from PIL import features

HEAD_BYTES = 4096  # enough to recognise a format


@dataclass(frozen=True)
class Format:
    """A picture format. A file is of the first format in ``FORMATS`` whose ``magic`` or ``recognise`` fits its bytes.

    ``suffixes``: lower-case; folders are searched by them, but they do not decide what a file is (except between camera
    RAW and TIFF). ``magic``: what a file begins with. ``recognise``: whether its first ``HEAD_BYTES`` belong to it.
    ``drawing``: only a sketch, never a photo. ``mime_type``: empty if browsers do not show it. ``pillow``: the plugin
    that opens it, as in ``PIL.WebPImagePlugin``. ``codec``: the optional part of Pillow that it needs. ``package``: the
    module that it needs besides Pillow, which pip installs by the same name.
    """

    name: str  # as ``doctor`` shows it
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...] = ()
    recognise: Callable[[bytes], bool] = lambda _head: False
    drawing: bool = False
    mime_type: str = ""
    pillow: str = ""
    codec: str = ""
    package: str = ""

    @property
    def supported(self) -> bool:
        """Whether this machine has what the format needs."""
        return (not self.codec or bool(features.check(self.codec))) and (
            not self.package or find_spec(self.package) is not None
        )

    @property
    def pillow_format(self) -> str:
        """What Pillow calls the format, for ``Image.open(formats=...)``."""
        return self.pillow.upper()


def _has_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """For ISO media files, which begin with a box that lists what they are compatible with."""
    return lambda head: (
        head[4:8] == b"ftyp"
        and any(head[at : at + 4] in brands for at in range(8, min(int.from_bytes(head[:4]), 256), 4))
    )


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _is_svg(head: bytes) -> bool:
    text = _text(head)
    return text.startswith("<") and ("<svg" in text or ":svg" in text)


def _is_strokes(head: bytes) -> bool:
    return _text(head).startswith(("[", "{"))


def _text(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        text = head.decode("utf-8-sig", "replace")
    return text.lstrip()


JPEG = Format(
    "jpeg",
    (".jpg", ".jpeg", ".jpe", ".jfif"),
    magic=(b"\xff\xd8\xff",),
    mime_type="image/jpeg",
    pillow="Jpeg",
    codec="jpg",
)
PNG = Format("png", (".png", ".apng"), magic=(b"\x89PNG\r\n\x1a\n",), mime_type="image/png", pillow="Png", codec="zlib")
WEBP = Format("webp", (".webp",), recognise=_is_webp, mime_type="image/webp", pillow="WebP", codec="webp")
GIF = Format("gif", (".gif",), magic=(b"GIF87a", b"GIF89a"), mime_type="image/gif", pillow="Gif")
AVIF = Format(
    "avif", (".avif",), recognise=_has_brand(b"avif", b"avis"), mime_type="image/avif", pillow="Avif", codec="avif"
)
BMP = Format("bmp", (".bmp", ".dib"), magic=(b"BM",), mime_type="image/bmp", pillow="Bmp")
TIFF = Format("tiff", (".tif", ".tiff"), magic=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), pillow="Tiff")
RAW = Format(
    "raw",
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw"),
        *(".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    ),
    magic=(b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM"),
    recognise=_has_brand(b"crx "),
)
HEIF = Format(
    "heif",
    (".heic", ".heif", ".hif"),
    recognise=_has_brand(b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"),
    package="pi_heif",
)
SVG = Format("svg", (".svg",), recognise=_is_svg, drawing=True, package="resvg_py")
QUICKDRAW = Format("quickdraw", (".ndjson", ".json"), recognise=_is_strokes, drawing=True)

FORMATS = (JPEG, PNG, WEBP, GIF, AVIF, BMP, TIFF, RAW, HEIF, SVG, QUICKDRAW)
PHOTO_SUFFIXES = frozenset(suffix for row in FORMATS if not row.drawing for suffix in row.suffixes)
SKETCH_SUFFIXES = frozenset(suffix for row in FORMATS for suffix in row.suffixes)

# Recognised only to say what to do about them.
_UNSUPPORTED = {
    b"PK\3\4": "is a zip archive; unpack it first",
    b"\x1f\x8b": "is gzip-compressed; unpack it first",
    b"BZh": "is bzip2-compressed; unpack it first",
    b"\xfd7zXZ": "is xz-compressed; unpack it first",
    b"7z\xbc\xaf": "is a 7z archive; unpack it first",
    b"Rar!": "is a rar archive; unpack it first",
    b"%PDF": "is a PDF, which is not supported; save it as PNG",
    b"%!PS": "is PostScript, which is not supported; save it as PNG",
    b"8BPS": "is a Photoshop file, which is not supported; save it as PNG",
    b"\0\0\1\0": "is an icon file, which is not supported; save it as PNG",
    b"\0\0\0\x0cjP": "is JPEG 2000, which is not supported; save it as JPEG",
    b"\xff\x4f\xff\x51": "is JPEG 2000, which is not supported; save it as JPEG",
    b"\xff\x0a": "is JPEG XL, which is not supported; save it as JPEG",
    b"\0\0\0\x0cJXL": "is JPEG XL, which is not supported; save it as JPEG",
}


def format_of(data: bytes, name: str = "") -> Format | None:
    """The format of a file from its first ``HEAD_BYTES`` (more are ignored); None if it is of no known format.

    ``name``: the file's name or path, whose suffix separates camera RAW from TIFF.
    """
    head = data[:HEAD_BYTES]
    found = next((row for row in FORMATS if head.startswith(row.magic) or row.recognise(head)), None)
    if found is TIFF and (head[8:10] == b"CR" or suffix_of(name) in RAW.suffixes):
        return RAW  # most camera files are TIFFs whose first image is a stamp-sized thumbnail
    return found


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, as in ``.jpg``; empty if it has none."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - any text, not only what makes a valid Path


def why_unsupported(data: bytes) -> str:
    """Why something of no known format is not opened."""
    return next(
        (reason for magic, reason in _UNSUPPORTED.items() if data.startswith(magic)),
        "is not a picture of a known format",
    )


def supported_formats() -> dict[str, bool]:
    """What can be opened on this machine, by format."""
    return {row.name: row.supported for row in FORMATS}
