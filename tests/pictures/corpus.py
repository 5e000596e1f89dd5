"""Pictures of every kind, made here: nothing is read from outside."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, features


def scene(width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A picture that looks different from every side: red left, green top, blue to the right bottom."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = [230 - 180 * across, 200 - 150 * down, 40 + 180 * across * down]
    return np.stack(channels, axis=2).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_lab(image: Image.Image) -> Image.Image:
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    return lab


def corpus() -> dict[str, bytes]:
    """Name -> a file of 64 x 48 pixels."""
    rgb = Image.fromarray(scene())
    grey, alpha = rgb.convert("L"), Image.fromarray(np.full((48, 64), 255, np.uint8))
    rgba = Image.merge("RGBA", (*rgb.split(), alpha))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    files = {
        "rgb.jpg": saved(rgb, "JPEG", quality=95),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "grey.jpg": saved(grey, "JPEG"),
        "cmyk.jpg": saved(rgb.convert("CMYK"), "JPEG", quality=95),
        "profile.jpg": saved(rgb, "JPEG", icc_profile=with_profile()),
        "broken-profile.jpg": saved(rgb, "JPEG", icc_profile=b"no profile at all" * 20),
        "rgb.png": saved(rgb, "PNG"),
        "rgba.png": saved(rgba, "PNG"),
        "la.png": saved(grey.convert("LA"), "PNG"),
        "palette.png": saved(rgb.quantize(32), "PNG"),
        "palette-transparent.png": saved(rgb.quantize(32), "PNG", transparency=0),
        "bilevel.png": saved(rgb.convert("1"), "PNG"),
        "grey16.png": saved(deep, "PNG"),
        "rgb16.png": png_of_16_bits(scene()),
        "rgba16.png": png_of_16_bits(np.dstack([scene(), np.full((48, 64), 255, np.uint8)])),
        "rgb.webp": saved(rgb, "WEBP"),
        "rgba.webp": saved(rgba, "WEBP", lossless=True),
        "animated.webp": saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90), rgb.rotate(180)]),
        "rgb.gif": saved(rgb, "GIF"),
        "animated.gif": saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90), rgb.rotate(180)]),
        "animated.png": saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)]),
        "rgb.bmp": saved(rgb, "BMP"),
        "rgb.tiff": saved(rgb, "TIFF"),
        "lzw.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "cmyk.tiff": saved(rgb.convert("CMYK"), "TIFF"),
        "lab.tiff": saved(to_lab(rgb), "TIFF"),
        "grey16.tiff": saved(deep, "TIFF"),
        "grey16-big-endian.tiff": saved(Image.frombytes("I;16B", (64, 48), np.asarray(deep, ">u2").tobytes()), "TIFF"),
        "rgb16.tiff": tiff(64, 48, scene().astype("<u2") * 257),
        "float.tiff": saved(Image.fromarray(np.asarray(grey, np.float32) / 255), "TIFF"),
    }
    if features.check_module("avif"):
        files["rgb.avif"] = saved(rgb, "AVIF", quality=90)
    return files


def png_of_16_bits(pixels: NDArray[np.uint8]) -> bytes:
    """Pillow writes no colour PNG of 16 bits: by hand."""
    height, width, channels = pixels.shape
    rows = (pixels.astype(">u2") * 257).astype(">u2")
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(width, height, data, depth=16, colour={3: 2, 4: 6}[channels])


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with this header, whatever its data holds."""
    return _png_file(width, height, zlib.compress(data, 9), depth, colour)


def _png_file(width: int, height: int, packed: bytes, depth: int, colour: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def tiff(
    width: int, height: int, pixels: NDArray[np.uint16] | None = None, tile: tuple[int, int] | None = None
) -> bytes:
    """A TIFF of 16 bits a channel in one strip, or of compressed grey tiles without content."""
    data = pixels.astype("<u2").tobytes() if pixels is not None else bytes(1000)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (259, 3, 1, 8 if tile else 1), (262, 3, 1, 1 if tile else 2)]
    if tile:
        entries += [(258, 3, 1, 8), (277, 3, 1, 1), (322, 4, 1, tile[0]), (323, 4, 1, tile[1])]
        entries += [(324, 4, 1, 1024), (325, 4, 1, len(data))]
    else:
        entries += [(258, 3, 3, 512), (277, 3, 1, 3), (273, 4, 1, 1024), (278, 4, 1, height), (279, 4, 1, len(data))]
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)
    return head.ljust(512, b"\0") + b"\x10\0" * 256 + data  # three times 16 bits stand at 512


def svg(content: str, attributes: str = 'viewBox="0 0 100 60"') -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {names} {attributes}>{content}</svg>".encode()


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new("RGB", size, colour)


def thin_png(width: int, height: int, seed: int = 0, *, grey: bool = False) -> bytes:
    """A small PNG file of any size: RGB or grey lines without content; the ``seed`` colours the first of them."""
    line = bytes(1 + width * (1 if grey else 3))
    packed = zlib.compressobj(1)
    parts = [packed.compress(bytes([0, 1 + seed % 255]) + line[2:])]
    block, rows = line * max(1, 2**20 // len(line)), height - 1
    while rows > 0:
        count = min(rows, len(block) // len(line))
        parts.append(packed.compress(block[: count * len(line)]))
        rows -= count
    return _png_file(width, height, b"".join([*parts, packed.flush()]), 8, 0 if grey else 2)
