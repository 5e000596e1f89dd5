"""SVG drawings -> pixels, by resvg, without scripts, network or other files, and within limits of time and memory.

The renderer overflows its stack on deep documents, and takes minutes for others that look harmless while it blocks all
other threads. So it runs in a separate process, which starts in about 20 ms and can be killed.
"""

import io
from importlib.util import find_spec
from typing import Any
from xml.parsers import expat

from PIL import Image

from sketchseek.pictures.child import ChildError, ChildTimeoutError, run_in_child
from sketchseek.pictures.errors import MissingDecoderError, PictureError
from sketchseek.pictures.formats import SVG

SIDE = 1024  # px of the longer side of the rendered sheet
MAX_SVG_BYTES = 8 * 2**20
MAX_ELEMENTS = 20_000
SECONDS = 5  # a drawing takes milliseconds unless the machine is busy
_MEMORY = 1 << 30

_SCRIPT = """
import resvg_py
side = arguments["side"]
text = sys.stdin.buffer.read().decode()
try:
    png = resvg_py.svg_to_bytes(svg_string=text, width=side, height=side, dpi=96, skip_system_fonts=True)
    answer({}, bytes(png))
except ValueError as error:
    sys.exit(str(error))
"""

_REFUSED = {
    "image": "holds an embedded picture",
    "feImage": "holds an embedded picture",
    "foreignObject": "holds a foreign document",
}


def render_svg(text: str, name: str) -> Image.Image:
    """The drawing as RGBA on transparent paper, its longer side ``SIDE`` px."""
    _inspect(text, name)
    if find_spec(SVG.package) is None:
        raise MissingDecoderError(name, "is SVG", SVG.package)
    try:
        _, png = run_in_child(_SCRIPT, (SVG.package,), text.encode(), seconds=SECONDS, memory=_MEMORY, side=SIDE)
    except ChildTimeoutError:
        raise PictureError(name, "takes too long to draw; save it as PNG") from None
    except ChildError as error:
        why = str(error) or "too deep or too heavy"
        raise PictureError(name, f"is not an SVG that can be drawn ({why}); save it as PNG") from None
    image = Image.open(io.BytesIO(png), formats=["PNG"])
    image.load()
    return image


def _inspect(text: str, name: str) -> None:
    """Before rendering, refuse documents that refer to others or that would expand in memory."""
    inspector = _Inspector(name)
    parser = expat.ParserCreate("utf-8")  # whatever the document declares: it has been decoded already
    parser.StartElementHandler = inspector.start
    parser.EndElementHandler = inspector.end
    parser.CharacterDataHandler = inspector.text
    parser.EntityDeclHandler = inspector.entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise PictureError(name, f"is not well-formed SVG ({error})") from None
    inspector.style("".join(inspector.sheets))


class _Inspector:
    """Reads the document and refuses it at the first thing that a drawing does not need."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.elements = 0
        self.in_sheet = False
        self.sheets: list[str] = []

    def refuse(self, reason: str) -> None:
        raise PictureError(self.name, f"{reason}; save it as PNG, or as an SVG of plain lines")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        plain = tag.rpartition(":")[2]
        self.in_sheet = plain == "style"
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            self.refuse(f"has more than {MAX_ELEMENTS} elements")
        if plain in _REFUSED:
            self.refuse(_REFUSED[plain])
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "href" and plain != "a" and not value.strip().startswith("#"):
                self.refuse("refers to something outside itself")
            self.style(value)

    def end(self, _tag: str) -> None:
        self.in_sheet = False

    def text(self, content: str) -> None:
        if self.in_sheet:
            self.sheets.append(content)

    def entity(self, *_declared: Any) -> None:
        self.refuse("declares entities")

    def style(self, value: str) -> None:
        """Check a style sheet, or the value of an attribute that may be one."""
        lowered = value.lower()
        targets = [part.lstrip(" '\"\t\n") for part in lowered.split("url(")[1:]]
        if "@import" in lowered or not all(target.startswith("#") for target in targets):
            self.refuse("refers to something outside itself")
