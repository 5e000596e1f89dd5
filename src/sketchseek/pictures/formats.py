"""Which formats are opened, told by a file's first bytes; its name's ending matters for camera RAW alone."""

from importlib.util import find_spec

from PIL import features

RAW_SUFFIXES = frozenset(
    [
        ".3fr",
        ".arw",
        ".cr2",
        ".cr3",
        ".dng",
        ".erf",
        ".iiq",
        ".kdc",
        ".mef",
        ".mos",
        ".mrw",
        ".nef",
        ".nrw",
        ".orf",
        ".pef",
        ".raf",
        ".raw",
        ".rw2",
        ".rwl",
        ".sr2",
        ".srf",
        ".srw",
        ".x3f",
    ]
)
PHOTO_SUFFIXES = RAW_SUFFIXES | frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
    ]
)
SKETCH_SUFFIXES = PHOTO_SUFFIXES | frozenset({".svg", ".ndjson", ".json"})

HEAD_BYTES = 4096  # enough to tell a format

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"FUJIFILMCCD-RAW": "RAW",
    b"IIU\0": "RAW",
    b"IIRO": "RAW",
    b"IIRS": "RAW",
    b"MMOR": "RAW",
    b"FOVb": "RAW",
    b"\0MRM": "RAW",
}

# Told apart only for the sake of a better sentence.
_OTHERS = {
    b"PK\3\4": "is a zip archive; unpack it first",
    b"\x1f\x8b": "is gzip-compressed; unpack it first",
    b"BZh": "is bzip2-compressed; unpack it first",
    b"\xfd7zXZ": "is xz-compressed; unpack it first",
    b"7z\xbc\xaf": "is a 7z archive; unpack it first",
    b"Rar!": "is a rar archive; unpack it first",
    b"%PDF": "is a PDF, which is not opened; save it as PNG",
    b"%!PS": "is PostScript, which is not opened; save it as PNG",
    b"8BPS": "is a Photoshop file, which is not opened; save it as PNG",
    b"\0\0\1\0": "is an icon file, which is not opened; save it as PNG",
    b"\0\0\0\x0cjP": "is JPEG 2000, which is not opened; save it as JPEG",
    b"\xff\x4f\xff\x51": "is JPEG 2000, which is not opened; save it as JPEG",
    b"\xff\x0a": "is JPEG XL, which is not opened; save it as JPEG",
    b"\0\0\0\x0cJXL": "is JPEG XL, which is not opened; save it as JPEG",
}


def kind_of(head: bytes, suffix: str = "") -> str | None:
    """JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF, RAW, SVG, STROKES, or None, from a file's first ``HEAD_BYTES``."""
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind == "TIFF" and (suffix in RAW_SUFFIXES or head[8:10] == b"CR"):
        return "RAW"  # most camera files are TIFFs whose first image is a stamp-sized thumbnail
    if kind is not None:
        return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _kind_of_brands(head[8 : min(int.from_bytes(head[:4]), 256)])
    return _kind_of_text(head)


def refusal(head: bytes) -> str:
    """Why something of no known kind is not opened."""
    return next(
        (reason for magic, reason in _OTHERS.items() if head.startswith(magic)), "is not a picture of a known format"
    )


def supported_formats() -> dict[str, bool]:
    """What can be opened on this machine, by format."""
    return {
        "jpeg": features.check_codec("jpg"),
        "png": features.check_codec("zlib"),
        "gif": True,
        "bmp": True,
        "tiff": True,
        "webp": features.check_module("webp"),
        "avif": features.check_module("avif"),
        "heif": find_spec("pi_heif") is not None,
        "raw": find_spec("rawpy") is not None,
        "svg": find_spec("resvg_py") is not None,
        "quickdraw": True,
    }


def _kind_of_brands(brands: bytes) -> str | None:
    names = {brands[at : at + 4] for at in range(0, len(brands), 4)}
    if names & {b"avif", b"avis"}:
        return "AVIF"
    if b"crx " in names:
        return "RAW"
    if names & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        return "HEIF"
    return None


def _kind_of_text(head: bytes) -> str | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        text = head.decode("utf-8-sig", "replace")
    text = text.lstrip()
    if text.startswith(("[", "{")):
        return "STROKES"
    if text.startswith("<") and ("<svg" in text or ":svg" in text):
        return "SVG"
    return None
