"""SVG drawings -> pixels, by resvg: no scripts, no network, no other files, nothing that exhausts the machine."""

import io
from typing import Any
from xml.parsers import expat

from PIL import Image

from sketchseek.pictures.errors import PictureError

SIDE = 1024  # px of the longer side of the rendered sheet

MAX_ELEMENTS = 20_000
MAX_PATH = 1_000_000  # characters of path data in all
# resvg recurses over nested elements and over what they refer to, and overflows its stack from about 200 levels.
MAX_LEVELS = 100

# What a drawing in lines does without, and what takes seconds on purpose: layers, filters, fine dashes.
_PLAIN = (
    "* { opacity: 1 !important; filter: none !important; mask: none !important; mix-blend-mode: normal !important;"
    " stroke-dasharray: none !important; marker: none !important; marker-start: none !important;"
    " marker-mid: none !important; marker-end: none !important }"
)
_REFUSED = {
    "image": "holds an embedded picture",
    "feImage": "holds an embedded picture",
    "foreignObject": "holds a foreign document",
    "pattern": "holds a pattern",
}
_REFERENCES = {"use", "clipPath", "mask", "marker", "filter", "symbol", "switch"}


def render_svg(text: str, name: str) -> Image.Image:
    """The drawing as RGBA on transparent paper, its longer side ``SIDE`` px."""
    _inspect(text, name)
    import resvg_py  # only drawings in SVG pay for it

    try:
        png = resvg_py.svg_to_bytes(
            svg_string=text, width=SIDE, height=SIDE, skip_system_fonts=True, style_sheet=_PLAIN
        )
    except ValueError as error:
        raise PictureError(name, f"is not an SVG that can be drawn ({str(error).splitlines()[0]})") from None
    image = Image.open(io.BytesIO(png), formats=["PNG"])
    image.load()
    return image


def _inspect(text: str, name: str) -> None:
    """Refuse what would reach outside or exhaust the machine, before the renderer sees it; memory stays bounded."""
    inspector = _Inspector(name)
    parser = expat.ParserCreate()
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
    """Counts what costs the renderer time or stack while the document is read, and refuses at the first excess."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = self.deepest = self.elements = self.references = self.path = 0
        self.in_sheet = False
        self.sheets: list[str] = []

    def refuse(self, reason: str) -> None:
        raise PictureError(self.name, f"{reason}; save it as PNG, or as an SVG of plain lines")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        plain = tag.rpartition(":")[2]
        self.in_sheet = plain == "style"
        self.level += 1
        self.elements += 1
        self.deepest = max(self.deepest, self.level)
        self.references += plain in _REFERENCES
        if self.elements > MAX_ELEMENTS:
            self.refuse(f"has more than {MAX_ELEMENTS} elements")
        if plain in _REFUSED:
            self.refuse(_REFUSED[plain])
        # What is referred to may refer on: in the worst case every reference adds a document's depth.
        if (self.references + 1) * self.deepest > MAX_LEVELS:
            self.refuse(f"nests its elements, or what they refer to, more than {MAX_LEVELS} deep")
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "href" and plain != "a" and not value.strip().startswith("#"):
                self.refuse("refers to something outside itself")
            if key in {"d", "points"}:
                self.path += len(value)
            else:
                self.style(value)
        if self.path > MAX_PATH:
            self.refuse(f"has more than {MAX_PATH} characters of path data")

    def end(self, _tag: str) -> None:
        self.level -= 1
        self.in_sheet = False

    def text(self, content: str) -> None:
        if self.in_sheet:
            self.sheets.append(content)

    def entity(self, *_declared: Any) -> None:
        self.refuse("declares entities")

    def style(self, value: str) -> None:
        """A style sheet, or the value of an attribute that may be one."""
        lowered = value.lower()
        targets = [part.lstrip(" '\"\t\n") for part in lowered.split("url(")[1:]]
        if "@import" in lowered or not all(target.startswith("#") for target in targets):
            self.refuse("refers to something outside itself")
        if "important" in lowered and "!" in lowered:  # it would win over the plain style above
            self.refuse("forces its own styles")
