import gzip
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sketchseek.pictures import CLIP_SKETCHES, PictureError, RasterSketch, fit, load_sketch, sketch_from_strokes
from tests.pictures.corpus import svg

LINE = '<path d="M10 10L90 50" fill="none" stroke="black" stroke-width="2"/>'


def test_a_line_is_where_it_belongs() -> None:
    drawn = fit(load_sketch(svg(LINE)), CLIP_SKETCHES)
    wanted = fit(sketch_from_strokes([[[10, 90], [10, 50]]]), CLIP_SKETCHES)
    assert np.abs(drawn.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize(
    "data",
    [
        svg(LINE, 'width="100" height="60"'),
        svg(LINE, 'width="10cm" height="6cm" viewBox="0 0 100 60"'),
        svg(LINE, 'width="100%" height="100%" viewBox="0 0 100 60"'),
        svg(f"<defs><g id='a'>{LINE}</g></defs><use xlink:href='#a'/>"),
        svg(f"<style>path {{ stroke: black }}</style>{LINE}"),
        b"\xef\xbb\xbf" + svg(LINE),
        svg(LINE).decode().encode("utf-16"),
        b'<?xml version="1.0" standalone="no"?><!-- a drawing -->' + svg(LINE),
        svg(f'<a href="https://example.org/">{LINE}</a>'),
    ],
)
def test_ordinary_documents_open(data: bytes) -> None:
    sketch = load_sketch(data, name="s.svg")
    assert isinstance(sketch, RasterSketch)
    assert max(sketch.pixels.shape) <= 1024


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (svg('<image xlink:href="file:///etc/passwd"/>'), "embedded picture"),
        (svg('<image href="http://localhost/x.png"/>'), "embedded picture"),
        (svg('<image href="data:image/png;base64,AAAA"/>'), "embedded picture"),
        (svg('<use href="other.svg#a"/>'), "outside itself"),
        (svg('<rect width="9" height="9" fill="url(http://localhost/x)"/>'), "outside itself"),
        (svg('<style>@import "http://localhost/x.css";</style>' + LINE), "outside itself"),
        (svg("<style>path { fill: url('x.svg#a') }</style>" + LINE), "outside itself"),
        (svg("<foreignObject><p>hello</p></foreignObject>"), "foreign document"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("<text>&a;</text>"), "entities"),
        (b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + svg("<text>&a;</text>"), "entities"),
        (svg(LINE)[:-4], "well-formed"),
        (svg("<g/>" * 30_000), "elements"),
        (svg("<g>" * 5000 + LINE + "</g>" * 5000), "not an SVG that can be drawn"),
        (svg("<g>" * 500 + LINE + "</g>" * 500), "not an SVG that can be drawn"),
        (svg(LINE, 'width="-5" height="5"'), "not an SVG that can be drawn"),
        (svg(LINE, 'width="0" height="0"'), "not an SVG that can be drawn"),
        (svg(""), "nothing is drawn"),
    ],
)
def test_what_is_refused_says_why(data: bytes, said: str) -> None:
    with pytest.raises(PictureError, match=said):
        load_sketch(data, name="s.svg")


def test_absurd_sizes_stay_small() -> None:
    for attributes in ('width="1e38" height="1e38"', 'width="1000000" height="1"', 'width="1" height="1000000"'):
        try:
            sketch = load_sketch(svg(LINE, attributes))
        except PictureError:
            continue
        assert isinstance(sketch, RasterSketch)
        assert max(sketch.pixels.shape) <= 1024


def test_gzipped_svg_is_refused() -> None:
    with pytest.raises(PictureError, match="gzip"):
        load_sketch(gzip.compress(svg(LINE)))


@pytest.mark.parametrize(
    "content",
    [
        '<g id="a0"><rect width="99" height="59" opacity="0.5"/></g>'
        + "".join(f'<g id="a{n + 1}"><use href="#a{n}"/><use href="#a{n}"/></g>' for n in range(24)),
        "".join(f'<g id="a{n}"><use href="#a{n + 1}"/></g>' for n in range(9_000)),
        '<path stroke="black" stroke-width="50" stroke-linejoin="round" d="M0 0' + "l9 9-9-9" * 100_000 + '"/>',
    ],
    ids=["doubling", "chain", "zigzag"],
)
def test_what_explodes_in_the_renderer_is_given_up(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.pictures.svg.SECONDS", 1)
    with pytest.raises(PictureError, match=r"^s\.svg: (is not an SVG that can be drawn|takes too long)"):
        load_sketch(svg(content), name="s.svg")


def test_a_document_that_takes_forever_is_stopped_and_blocks_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.pictures.svg.SECONDS", 3)
    circle = '<circle r="50" cx="50" cy="30" fill="none" stroke="black" opacity="0.5"/>'
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    watcher = threading.Thread(target=tick)
    watcher.start()
    with pytest.raises(PictureError, match=r"too long|too deep or too heavy"):
        load_sketch(svg(circle * 19_000))
    done.set()
    watcher.join()
    assert len(ticks) > 20  # the renderer never lets another thread of its own process run


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.svg").write_bytes(svg(LINE))
    path = tmp_path / "s.svg"
    path.write_bytes(svg('<use href="secret.svg"/>'))
    with pytest.raises(PictureError, match="outside itself"):
        load_sketch(path)
