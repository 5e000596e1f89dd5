import io
import os
import pickle
import socket
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sketchseek.errors import SketchseekError
from sketchseek.pictures import PictureError, load_photo
from sketchseek.pictures.errors import MissingDecoderError, may_open_now
from tests.pictures.corpus import corpus, png, saved, scene, svg, tiff, with_profile

CORPUS = corpus()
COLOURFUL = [name for name in CORPUS if not name.startswith(("grey", "la.", "bilevel", "float"))]


@pytest.mark.parametrize("name", CORPUS)
def test_every_format_gives_the_picture(name: str) -> None:
    photo = load_photo(CORPUS[name], name=name)
    assert photo.shape == (48, 64, 3)
    assert photo.dtype == np.uint8
    wanted = scene() if name in COLOURFUL else np.asarray(Image.fromarray(scene()).convert("L").convert("RGB"))
    if name.startswith("bilevel"):  # dots stand for greys
        photo, wanted = (np.asarray(Image.fromarray(pixels).reduce(8)) for pixels in (photo, wanted))
    tolerance = 12 if name.startswith(("cmyk", "palette", "rgb.gif", "animated.gif", "bilevel")) else 6
    assert np.abs(photo.astype(int) - wanted).mean() < tolerance


def test_the_name_does_not_decide_the_format(tmp_path: Path) -> None:
    path = tmp_path / "photo.gif"
    path.write_bytes(CORPUS["rgb.png"])
    np.testing.assert_array_equal(load_photo(path), scene())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_as_pillow_understands_it(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"WEBP": {"lossless": True}}.get(kind, {"quality": 95} if kind != "PNG" else {})
    data = saved(Image.fromarray(scene()), kind, exif=exif, **options)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    np.testing.assert_array_equal(load_photo(data), wanted)
    assert load_photo(data).shape == ((48, 64, 3) if orientation < 5 else (64, 48, 3))


def test_broken_exif_leaves_the_picture_as_it_is() -> None:
    data = saved(Image.fromarray(scene()), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    np.testing.assert_array_equal(load_photo(data), scene())


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_lies_over_white(kind: str) -> None:
    red = np.zeros((8, 8, 4), np.uint8)
    red[:, :, 0] = 255
    red[:, :4, 3] = 128
    photo = load_photo(saved(Image.fromarray(red), kind, lossless=True))
    assert np.abs(photo[:, :4].astype(int) - [255, 127, 127]).max() <= 1
    assert (photo[:, 4:] == 255).all()


def test_a_colour_profile_is_brought_to_srgb() -> None:
    """sRGB whose profile swaps red and blue: the colours shown are those the profile says."""
    primaries = with_profile()
    swapped = primaries.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    # Under another name, since a profile that calls itself sRGB is taken at its word.
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    red = load_photo(saved(Image.new("RGB", (4, 4), "red"), "PNG", icc_profile=swapped))[0, 0]
    assert red[2] > 240
    assert red[0] < 30
    plain = load_photo(saved(Image.new("RGB", (4, 4), "red"), "PNG", icc_profile=primaries))
    assert (plain == [255, 0, 0]).all()


def test_a_profile_that_does_not_fit_is_left_aside() -> None:
    """A profile of greys must not take a picture's colours away."""
    grey = with_profile().replace(b"RGB ", b"GRAY", 1)
    colourful = load_photo(saved(Image.fromarray(scene()), "PNG", icc_profile=grey))
    np.testing.assert_array_equal(colourful, scene())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6), st.sampled_from(["RGB", "L", "RGBA"]))
def test_damaged_profiles_leave_a_picture(flips: list[tuple[int, int]], mode: str) -> None:
    profile = bytearray(with_profile().replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be")))
    for place, value in flips:
        profile[place] = value
    photo = load_photo(saved(Image.fromarray(scene()).convert(mode), "PNG", icc_profile=bytes(profile)))
    assert photo.shape == (48, 64, 3)


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (9, 99, 9)), ("L", 99), ("P", 1)])
def test_a_transparent_colour_lies_over_white(mode: str, colour: Any) -> None:
    image = Image.new(mode, (8, 8))
    if mode == "P":
        image.putpalette(bytes(range(30)))
    image.paste(colour, (0, 0, 4, 8))
    photo = load_photo(saved(image, "PNG", transparency=colour))
    assert (photo[:, :4] == 255).all()
    assert (photo[:, 4:] < 5).all()


def test_sixteen_bits_and_floats_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(4, axis=0)
    deep = load_photo(saved(Image.fromarray(ramp), "PNG"))
    assert (deep[0, 0] == 0).all()
    assert (deep[0, -1] == 255).all()
    assert (np.diff(deep[0, :, 0].astype(int)) >= 0).all()
    unit = load_photo(saved(Image.fromarray(ramp.astype(np.float32) / 65535), "TIFF"))
    assert unit.min() == 0
    assert unit.max() == 255


@settings(max_examples=30)
@example(337, 1201, 16, 6)
@given(st.integers(300, 1600), st.integers(300, 1600), st.integers(16, 300), st.integers(1, 8))
def test_a_reduced_scale_never_falls_below_the_target(width: int, height: int, target: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.new("RGB", (width, height), "teal"), "JPEG", exif=exif)
    small, full = load_photo(data, target=target), load_photo(data)
    assert min(small.shape[:2]) >= min(target, width, height)
    assert min(small.shape[:2]) < max(4 * target, 1) or small.shape == full.shape
    # Each side is rounded up to a whole pixel, and the shorter one has as few as 24.
    ratio, wanted = small.shape[0] / small.shape[1], full.shape[0] / full.shape[1]
    assert ratio == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_reduced_scale_shows_the_same_picture(kind: str) -> None:
    data = saved(Image.fromarray(scene(1200, 900)), kind)
    small = load_photo(data, target=100)
    assert 150 <= min(small.shape[:2]) < 300
    wanted = Image.fromarray(load_photo(data)).resize(small.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(small.astype(int) - np.asarray(wanted)).mean() < 2


@settings(max_examples=300)
@given(st.sampled_from(sorted(CORPUS)), st.floats(0, 1), st.sampled_from([None, 16]))
def test_a_truncated_file_is_a_picture_or_a_picture_error(name: str, share: float, target: int | None) -> None:
    whole = CORPUS[name]
    _picture_or_error(whole[: int(len(whole) * share)], target)


@settings(max_examples=300)
@given(st.sampled_from(sorted(CORPUS)), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_are_a_picture_or_a_picture_error(name: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(CORPUS[name])
    for place, value in flips:
        data[int(place * len(data))] = value
    # The limit stands for the one in force: a flipped header may ask for any size below that.
    _picture_or_error(bytes(data), None)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([b"", *(data[:16] for data in CORPUS.values()), b"II*\0", b"BM"]))
def test_noise_is_a_picture_error(noise: bytes, start: bytes) -> None:
    _picture_or_error(start + noise, 8)


def _picture_or_error(data: bytes, target: int | None) -> None:
    try:
        photo = load_photo(data, name="p", target=target, max_pixels=1_000_000)
    except PictureError as error:
        assert str(error).startswith("p: ")
        assert "\n" not in str(error)
    else:
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        assert photo.shape[2] == 3
        assert photo.size > 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"just words", "not a picture"),
        (b"PK\3\4" + bytes(60), "zip"),
        (b"\x1f\x8b" + bytes(60), "gzip"),
        (b"%PDF-1.7", "PDF"),
        (svg("<path d='M0 0L9 9'/>"), "drawing"),
        (b"[[[0, 1], [0, 1]]]", "drawing"),
        (png(30000, 30000, b""), "over the limit of 200 million"),
        (png(0, 5, b""), "p.png: "),
        (png(64, 48, b"\0"), "cut short"),
        (CORPUS["rgb.jpg"][:400], "cut short"),
    ],
)
def test_what_is_refused_says_why(data: bytes, said: str) -> None:
    with pytest.raises(PictureError, match=said) as caught:
        load_photo(data, name="p.png")
    assert caught.value.source == "p.png"


def test_the_limit_of_pixels_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    data = CORPUS["rgb.png"]
    with pytest.raises(PictureError, match="SKETCHSEEK_MAX_PIXELS=3072"):
        load_photo(data, max_pixels=3000)
    monkeypatch.setenv("SKETCHSEEK_MAX_PIXELS", "3000")
    with pytest.raises(PictureError):
        load_photo(data)
    assert load_photo(data, max_pixels=4000).shape == (48, 64, 3)
    for nonsense in ("many", "0", "-1", "1e6", "9" * 5000):
        monkeypatch.setenv("SKETCHSEEK_MAX_PIXELS", nonsense)
        with pytest.raises(SketchseekError, match=f"^SKETCHSEEK_MAX_PIXELS is '{nonsense}'"):
            load_photo(data)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {"compression": "group4"})])
def test_a_limit_above_pillows_own_counts(kind: str, options: dict[str, Any]) -> None:
    # Pillow alone warns from 89 million pixels and refuses from 179 million; one bit each keeps this quick.
    wide = saved(Image.new("1", (20_000, 9_000)), kind, **options)
    assert load_photo(wide, target=224).shape[2] == 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    assert load_photo(saved(Image.new("RGB", shape), "PNG"), target=224).shape[:2] == shape[::-1]


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe, link, loop = tmp_path / "pipe", tmp_path / "socket", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(link))
        for path, said in (
            (tmp_path, "folder"),
            (pipe, "pipe"),
            (link, "socket"),
            (Path("/dev/zero"), "device"),
            (tmp_path / "missing.jpg", "no such file"),
            (loop, "cannot be opened"),
            (Path("x" * 5000), "cannot be opened"),
            ("nul\0byte.jpg", "not a possible file name"),
        ):
            with pytest.raises(PictureError, match=said):
                load_photo(path)


def test_a_disk_that_fails_halfway_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sketchseek.pictures.sources._open_file", lambda *_: Failing(b"some bytes"))
    with pytest.raises(PictureError, match=r"cannot be read \(Input/output error\)"):
        load_photo(tmp_path / "photo.jpg")


def test_any_name_makes_one_line() -> None:
    with pytest.raises(PictureError) as caught:
        load_photo(b"words", name="a\nb\x1b[31m" + "c" * 900)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_file_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(CORPUS["rgb.jpg"])

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sketchseek.pictures.sources.os.open", denied)  # root may read everything
    with pytest.raises(PictureError, match="permission"):
        load_photo(path)


@pytest.mark.parametrize(("package", "data", "name"), [
    ("pi_heif", b"\0\0\0\x18ftypheic" + bytes(100), "p.heic"),
    ("rawpy", CORPUS["rgb.tiff"], "p.nef"),
])  # fmt: skip
def test_a_missing_decoder_is_named_with_the_command(
    package: str, data: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PictureError, match="damaged") as caught:
        load_photo(data, name=name)
    assert not may_open_now(caught.value.reason)
    with monkeypatch.context() as patched:
        for module in ("raw", "heif", "errors"):
            patched.setattr(f"sketchseek.pictures.{module}.find_spec", lambda _: None)
        with pytest.raises(
            MissingDecoderError, match=f"needs the package {package}; run: .* {package}( |$)"
        ) as missing:
            load_photo(data, name=name)
        assert not may_open_now(missing.value.reason)
        assert str(pickle.loads(pickle.dumps(missing.value))) == str(missing.value)
    assert may_open_now(missing.value.reason)


def bombs() -> dict[str, bytes]:
    """Small files that claim 900 million pixels or more, or ask their decoder for as much memory."""
    return {
        "flat.png": png(30_000, 30_000, bytes(90_001 * 300)),
        "wide.gif": _huge_gif(),
        "header.jpg": claiming(CORPUS["rgb.jpg"], b"\xff\xc0", 5, struct.pack(">HH", 30_000, 30_000)),
        "header.bmp": claiming(CORPUS["rgb.bmp"], b"BM", 18, struct.pack("<ii", 30_000, 30_000)),
        "long.tiff": tiff(1, 200_000_000, tile=(16, 16)),
        "long-strip.tiff": tiff(1, 200_000_000)[:712],
        "long.png": png(1, 199_999_999, bytes(1000)),
        "interlaced.png": _interlaced(1, 199_999_999),
        "interlaced-square.png": _interlaced(14_000, 14_000, depth=16, colour=6),
        "largest.webp": claiming(CORPUS["rgb.webp"], b"\x9d\x01\x2a", 3, struct.pack("<HH", 16_383, 10_900)),
        "header.tiff": tiff(30_000, 30_000, tile=(30_000, 30_000)),
        "tile.tiff": tiff(4, 4, tile=(30_000, 30_000)),
        "canvas.webp": claiming(
            CORPUS["animated.webp"], b"VP8X", 12, (29_999).to_bytes(3, "little") + (29_999).to_bytes(3, "little")
        ),
        "header.webp": claiming(CORPUS["rgb.webp"], b"\x9d\x01\x2a", 3, b"\xff\x3f\xff\x3f"),
        "lists.json": b"[" + b"[[1],[1]]," * 800_000 + b"[[1],[1]]]",
        "entities.svg": b'<!DOCTYPE svg [<!ENTITY a "a">]>' + svg("<text>&a;</text>"),
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_refusing_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    # Not ru_maxrss: a process inherits it from the one that started it, here all of pytest.
    script = f"""
from pathlib import Path
from typing import Any
from sketchseek.pictures import PictureError, load_photo, load_sketch
for path in sorted(Path({str(tmp_path)!r}).iterdir()):
    try: (load_photo if path.suffix not in (".svg", ".json") else load_sketch)(path)
    except PictureError as error: print(error)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *refused, kilobytes = done.stdout.splitlines()
    assert len(refused) == len(bombs())
    assert int(kilobytes) < 300 * 1024


def claiming(data: bytes, mark: bytes, offset: int, claim: bytes) -> bytes:
    """The file with ``claim`` written ``offset`` bytes behind its ``mark``."""
    at = data.index(mark) + offset
    return data[:at] + claim + data[at + len(claim) :]


def _interlaced(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    data = bytearray(png(width, height, bytes(1000), depth=depth, colour=colour))
    data[28] = 1
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    return bytes(data)


def _huge_gif() -> bytes:
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    data[6:10] = b"\xff\xff\xff\xff"
    return bytes(data)


def test_many_threads_get_what_one_gets() -> None:
    names = sorted(CORPUS) * 4
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(lambda name: load_photo(CORPUS[name], target=16), names))
    for name, photo in zip(names, photos, strict=True):
        np.testing.assert_array_equal(photo, load_photo(CORPUS[name], target=16))


@pytest.mark.data
def test_real_photos_open(data_root: Path) -> None:
    photos = sorted(path for folder in ("sketchy", "quickdraw", "shoes", "contours", "photos")
                    for path in (data_root / folder).rglob("*.jpg"))[::97]  # fmt: skip
    assert len(photos) > 50
    for path in photos:
        assert load_photo(path, target=64).shape[2] == 3
