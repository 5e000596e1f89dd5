import io
import random
from typing import Any

import pytest
from PIL import Image

from sketchseek.pictures.camera import camera_facts
from tests.gallery.photos import png
from tests.pictures.mutations import MUTATIONS


def photo(kind: str = "JPEG", **changes: Any) -> bytes:
    exif = Image.Exif()
    exif[272] = changes.get("model", "EOS R6\0")
    details = exif.get_ifd(0x8769)
    details[33437], details[33434], details[34855], details[37386] = 2.8, changes.get("time", 0.004), 200, 35.0
    details[42036] = "RF35mm F1.8"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = changes.get("side", "S"), changes.get("latitude", (38.0, 42.0, 36.0))
    place[3], place[4] = "W", (9.0, 8.0, 0.0)
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_the_camera_wrote(kind: str) -> None:
    found = camera_facts(photo(kind), "x")
    assert found.pop("place") == (-38.71, -9.13333)
    assert found == {
        "camera": "EOS R6",
        "lens": "RF35mm F1.8",
        "aperture": pytest.approx(2.8),
        "exposure_s": pytest.approx(0.004),
        "iso": 200,
        "focal_mm": 35,
    }


def test_a_photo_without_exif() -> None:
    assert camera_facts(png(1), "x.png") == {}
    assert camera_facts(b"nothing", "x.jpg") == {}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"model": "\0\n "}, "camera"),
        ({"latitude": (99.0, 0.0, 0.0)}, "place"),
        ({"latitude": (1.0, 2.0)}, "place"),
        ({"time": 0.0}, "exposure_s"),
    ],
)
def test_what_makes_no_sense_is_omitted(changes: dict[str, Any], missing: str) -> None:
    found = camera_facts(photo(**changes), "x")
    assert missing not in found and found["lens"] == "RF35mm F1.8"


def test_names_are_bounded_and_printable() -> None:
    assert camera_facts(photo(model="\x1b[31m" + "a" * 500), "x")["camera"] == "[31m" + "a" * 96


def test_damaged_files_raise_nothing() -> None:
    rng = random.Random(0)
    good = [photo(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    for _ in range(300):
        data = bytearray(rng.choice(good))
        rng.choice(MUTATIONS)(data, rng)
        assert set(camera_facts(bytes(data), "x")) <= {
            *("camera", "lens", "aperture", "exposure_s", "iso", "focal_mm", "place")
        }
