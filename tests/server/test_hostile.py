"""A corpus of hostile uploads against a real server: each is refused within its limits, and others are served on."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx2
import pytest
from PIL import Image

from tests.pictures.corpus import png, svg, tiff
from tests.server.live import Live, live
from tests.server.uploads import CORNER, form, picture, refusal

MB = 2**20
SCANS = bytes.fromhex("ffda000803010002") * 4000
NESTED = (
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "'
    + "x" * 1000
    + '"><!ENTITY b "'
    + "&a;" * 1000
    + '">]><svg>&b;</svg>'
)
DOUBLED = "".join(f'<g id="a{n + 1}"><use href="#a{n}"/><use href="#a{n}"/></g>' for n in range(40))
_BLUR = '<filter id="f"><feGaussianBlur stdDeviation="90"/><feTurbulence numOctaves="90" baseFrequency="0.9"/></filter>'
SLOW_SVG = svg(_BLUR + '<rect width="900" height="900" filter="url(#f)"/>' * 400)

UPLOADS: dict[str, bytes] = {
    # Bombs: little to send, much to open.
    "more-pixels-than-any-camera.png": png(60_000, 60_000, b""),
    "more-than-an-upload-may-have.png": png(12_000, 10_000, bytes(15_010_000), depth=1, colour=0),
    "no-pixels.png": png(0, 0, b""),
    "wide.png": png(2_000_000_000, 1, b""),
    "cut-short.png": picture(size=(3000, 3000))[:5000],
    "large-tile.tif": tiff(64, 64, tile=(60_000, 60_000)),
    "giant.bmp": b"BM" + bytes(12) + b"\x28\0\0\0" + b"\xff\xff\xff\x7f" * 2 + bytes(100),
    "giant.gif": b"GIF89a\xff\xff\xff\xff\0\0\0" + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\0;",
    "giant.webp": b"RIFF\x20\0\0\0WEBPVP8L\x10\0\0\0\x2f\xff\xff\xff\x0f" + bytes(20),
    "scans.jpg": picture("JPEG")[:-2] + SCANS + b"\xff\xd9",
    "pieces.png": png(64, 64, b"")[:33] + b"\0\0\0\0tEXt\xe3\xb3\x0c\x92" * 5000,
    # Tricks of SVG.
    "laughs.svg": NESTED.encode(),
    "file.svg": svg('<image href="file:///etc/passwd" width="9" height="9"/>'),
    "network.svg": svg('<image xlink:href="http://127.0.0.1:1/x.png" width="9" height="9"/>'),
    "style.svg": svg('<style>@import url("http://127.0.0.1:1/x.css");</style><path d="M0 0 9 9"/>'),
    "entity.svg": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "foreign.svg": svg("<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>x</body></foreignObject>"),
    "deep.svg": svg("<g>" * 200_000),
    "many.svg": svg('<path d="M0 0 9 9"/>' * 30_000),
    "doubled.svg": svg('<g id="a0"><path d="M0 0 9 9" stroke="black"/></g>' + DOUBLED + '<use href="#a40"/>'),
    "huge.svg": svg("<path d='M0 0 9 9'/>" + " " * 9 * MB),
    # Strokes.
    "nested.json": b"[" * 500_000,
    "digits.json": b"[[[" + b"9" * 100_000 + b"],[1]]]",
    "endless.json": b"[[[" + b"1," * 60_000 + b"1],[" + b"1," * 60_000 + b"1]]]",
    # Wrong kinds.
    "empty.png": b"",
    "text.png": b"not a picture",
    "page.jpg": b"<html><script>alert(1)</script></html>",
    "program.jpg": b"MZ" + bytes(1000),
    "document.png": b"%PDF-1.7\n",
    "archive.png": b"PK\3\4" + bytes(100),
    "packed.svgz": b"\x1f\x8b\x08" + bytes(100),
    "half.jpg": b"\xff\xd8\xff\xe0" + bytes(1000),
    "zeros.heic": b"\0\0\0\x18ftypheic" + bytes(1000),
    "zeros.avif": b"\0\0\0\x18ftypavif" + bytes(1000),
    "zeros.dng": b"II*\0" + bytes(1000),
}


@pytest.fixture(scope="module")
def server(gallery_path: Path) -> Iterator[Live]:
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        yield server
        assert server.process.poll() is None


@pytest.mark.parametrize("field", ["sketch", "photo"])
def test_hostile_uploads_are_refused_while_others_are_served(server: Live, field: str) -> None:
    done = threading.Event()
    served: list[int] = []

    def other_client() -> None:
        with httpx2.Client(base_url=server.url, timeout=120) as client:
            while not done.is_set():
                served.append(client.post("api/search", files=form(strokes=CORNER)).status_code)

    other = threading.Thread(target=other_client)
    other.start()
    try:
        before = server.rss()
        for name, data in UPLOADS.items():
            answer = server.client.post("api/search", files=form((field, name, data)))
            message = refusal(answer, 422)
            assert name in message
            assert "/etc" not in message
        assert server.rss() - before < 150 * MB
    finally:
        done.set()
        other.join()
    assert set(served) == {200}


def test_names_of_uploads_are_never_paths(server: Live, tmp_path: Path) -> None:
    for name in ("../../../tmp/x.png", "/etc/passwd", "..\\x.png", "con", "a" * 3000 + ".png", "x\n\r\t.png", "😀.png"):
        answer = server.client.post("api/search", files=form(("sketch", name, picture())))
        assert answer.status_code in (200, 400), answer.text


@pytest.mark.slow
def test_slow_svgs_do_not_make_other_searches_wait(server: Live) -> None:
    """Eight at a time, each of which would keep the renderer busy for minutes.

    Waits are compared within this run, with those of the idle server and with the time that a drawing takes.
    """
    slow = form(("sketch", "slow.svg", SLOW_SVG))
    answers: list[httpx2.Response] = []

    def draw() -> None:
        with httpx2.Client(base_url=server.url, timeout=120) as client:
            answers.append(client.post("api/search", files=slow))

    def wait_ms() -> float:
        answer = server.client.post("api/search", files=form(strokes=CORNER))
        assert answer.status_code == 200
        return float(answer.json()["took_ms"]["wait"])

    idle = [wait_ms() for _ in range(20)]
    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    beside = []
    while any(thread.is_alive() for thread in threads):
        beside.append(wait_ms())
        assert "sketchseek_searches_in_flight 0.0" in server.client.get("metrics").text  # drawings are never among them
    assert len(beside) > 8
    assert len(answers) == 8
    for answer in answers:
        assert "slow.svg: takes too long" in refusal(answer, 422)
    print(f"wait in ms, median and longest: idle {median(idle)}, {max(idle)}; beside {median(beside)}, {max(beside)}")
    drawing = min(answer.elapsed.total_seconds() for answer in answers) * 1000
    assert median(beside) - median(idle) < drawing / 4


def test_strips_do_not_swell_the_server(server: Live) -> None:
    """Four drawings that decode to 330 x 100,000 px each, and are needed at a hundredth of it."""
    stream, strip = io.BytesIO(), Image.new("RGB", (330, 100_000), "white")
    strip.paste("black", (0, 0, 100, 50_000))
    strip.save(stream, "PNG")
    before = server.peak()
    strips = [("sketch", "strip.png", stream.getvalue())] * 4
    assert server.client.post("api/search", files=form(*strips)).status_code == 200
    assert server.peak() - before < 100 * MB
