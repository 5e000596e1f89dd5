"""A camera file made by hand: the least DNG that LibRaw opens, sensor data and an embedded JPEG preview."""

import struct
from collections.abc import Iterable

Entry = tuple[int, int, int, bytes]  # tag, type, count, values

_PREVIEW, _SENSOR, _DATA = 8, 2048, 4096  # where the two directories and the data lie


def dng(preview: bytes, orientation: int) -> bytes:
    """64 x 48 pixels; the camera was held as EXIF's ``orientation`` says."""
    sensor = b"".join(struct.pack("<H", 100 + 7 * value) for value in range(64 * 48))
    sensor_at = _DATA + len(preview) + len(preview) % 2
    first = [
        *_shared(subfile=1, bits=(8, 8, 8), compression=7, photometric=6, at=_DATA, size=len(preview)),
        _ascii(271, "Maker"),
        _ascii(272, "Model"),
        _short(274, orientation),
        _short(277, 3),
        _long(330, _SENSOR),
        _bytes(50706, 1, 4, 0, 0),  # DNG version
        _bytes(50707, 1, 1, 0, 0),
        _ascii(50708, "Maker Model"),
        _rational(50721, 1, 0, 0, 0, 1, 0, 0, 0, 1),  # colour matrix
        _rational(50728, 1, 1, 1),
        _short(50778, 21),
    ]
    second = [
        *_shared(subfile=0, bits=(16,), compression=1, photometric=32803, at=sensor_at, size=len(sensor)),
        _short(277, 1),
        _short(33421, 2, 2),  # a Bayer pattern
        _bytes(33422, 0, 1, 1, 2),
        _short(50714, 0),
        _short(50717, 65535),
    ]
    file = b"II*\0" + struct.pack("<I", _PREVIEW)
    for content, at in ((_directory(first, _PREVIEW), _SENSOR), (_directory(second, _SENSOR), _DATA)):
        file = (file + content).ljust(at, b"\0")
    return (file + preview).ljust(sensor_at, b"\0") + sensor


def _shared(
    *, subfile: int, bits: tuple[int, ...], compression: int, photometric: int, at: int, size: int
) -> list[Entry]:
    return [
        _long(254, subfile),
        _long(256, 64),
        _long(257, 48),
        _short(258, *bits),
        _short(259, compression),
        _short(262, photometric),
        _long(273, at),
        _long(278, 48),
        _long(279, size),
    ]


def _directory(entries: Iterable[Entry], at: int) -> bytes:
    """A TIFF directory at offset ``at``, with the values that do not fit into it behind it."""
    ordered = sorted(entries)
    behind = at + 2 + 12 * len(ordered) + 4
    rows, values = b"", b""
    for tag, kind, count, data in ordered:
        inline = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", behind + len(values))
        values += data + bytes(len(data) % 2) if len(data) > 4 else b""
        rows += struct.pack("<HHI", tag, kind, count) + inline
    return struct.pack("<H", len(ordered)) + rows + bytes(4) + values


def _bytes(tag: int, *values: int) -> Entry:
    return tag, 1, len(values), bytes(values)


def _ascii(tag: int, text: str) -> Entry:
    return tag, 2, len(text) + 1, text.encode() + b"\0"


def _short(tag: int, *values: int) -> Entry:
    return tag, 3, len(values), struct.pack(f"<{len(values)}H", *values)


def _long(tag: int, *values: int) -> Entry:
    return tag, 4, len(values), struct.pack(f"<{len(values)}I", *values)


def _rational(tag: int, *values: float) -> Entry:
    return tag, 10, len(values), b"".join(struct.pack("<ii", int(value * 10000), 10000) for value in values)


def raf(preview: bytes) -> bytes:
    """The header of a Fujifilm file and its preview, without the sensor's data."""
    return b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 160, len(preview)) + bytes(68) + preview


def tiff(directories: Iterable[Iterable[Entry]], order: str = "<") -> bytes:
    """A TIFF of directories in a chain; all values of their entries have at most 4 bytes."""
    file = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    for entries in directories:
        ordered = sorted(entries)
        file += struct.pack(order + "H", len(ordered))
        for tag, kind, count, data in ordered:
            file += struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
        file += struct.pack(order + "I", len(file) + 4)
    file[-4:] = bytes(4)
    return bytes(file)


def number(tag: int, value: int, order: str = "<") -> Entry:
    """One whole number of 32 bits."""
    return tag, 4, 1, struct.pack(order + "I", value)
