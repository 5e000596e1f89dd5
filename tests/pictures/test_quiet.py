"""Decoders print nothing: a line on stderr that does not name its file tells a person nothing."""

import logging
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.pictures import load_photo
from tests.pictures.corpus import corpus, saved, scene
from tests.pictures.mutations import flipped_bits, lost_end
from tests.pictures.raw import dng

OPEN_ALL = """
import sys
from pathlib import Path
from sketchseek.pictures import PictureError, load_photo
for path in sorted(Path(sys.argv[1]).iterdir()):
    try: load_photo(path, target=16)
    except PictureError: pass
print("done")
"""


def cut(jpeg: bytes) -> bytes:
    """A JPEG with bytes before a marker that do not belong there, and without its end."""
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + b"junk" + jpeg[at : len(jpeg) - 200]


def floats(*values: float) -> bytes:
    return saved(Image.fromarray(np.array([values], np.float32)), "TIFF")


def samples(tiff: bytes, number: int) -> bytes:
    """A TIFF that says it has so many samples in each pixel."""
    entry = struct.pack("<HHI", 277, 3, 1)
    at = tiff.index(entry) + len(entry)
    return tiff[:at] + struct.pack("<H", number) + tiff[at + 2 :]


def talkative() -> dict[str, bytes]:
    """Files of which a decoder has something to say."""
    files = corpus()
    preview = saved(Image.fromarray(scene(320, 240)), "JPEG", quality=90)
    found = {
        "jpeg.jpg": cut(files["rgb.jpg"]),
        "jpeg-in-tiff.tiff": saved(Image.fromarray(scene(320, 240)), "TIFF", compression="jpeg", quality=80),
        "samples.tiff": samples(files["rgb.tiff"], 2051),
        "overflow.tiff": floats(-3e38, 0.5),
        "preview.dng": dng(cut(preview), 3),
        "short-preview.dng": dng(preview[:-2000] + bytes(2000), 3),
    }
    rng = random.Random(0)
    for name in ("lzw.tiff", "cmyk.tiff", "rgb.jpg", "exif.png", "rgb.webp", "jpeg-in-tiff.tiff"):
        for number in range(30):
            data = bytearray(files.get(name) or found.get(name) or files["rgb.png"])
            (lost_end if number % 3 == 0 else flipped_bits)(data, rng)
            found[f"{number}-{name}"] = bytes(data)
    return found


def test_no_decoder_prints_a_line(tmp_path: Path) -> None:
    for name, data in talkative().items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", OPEN_ALL, tmp_path], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == ""


def test_a_program_that_wants_pillow_s_log_still_gets_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(Exception, match="is damaged"):
        load_photo(samples(corpus()["rgb.tiff"], 2051), name="a.tiff")
    assert "More samples per pixel" in caplog.text


def test_negative_light_is_black() -> None:
    photo = load_photo(floats(-3e38, 0.0, 0.5, 1.0), name="a.tiff")
    assert photo[0, :, 0].tolist() == [0, 0, 128, 255]
