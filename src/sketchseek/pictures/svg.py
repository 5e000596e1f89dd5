"""SVG drawings -> pixels, by resvg, without scripts, network or other files, and within limits of time and memory.

The renderer overflows its stack on deep documents, and takes minutes for others that look harmless while it blocks all
other threads. So it runs in a separate process, which starts in about 20 ms and can be killed.
"""

import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.parsers import expat

from PIL import Image

from sketchseek.pictures.errors import PictureError
from sketchseek.pictures.formats import SVG

SIDE = 1024  # px of the longer side of the rendered sheet
MAX_SVG_BYTES = 8 * 2**20
MAX_ELEMENTS = 20_000
SECONDS = 5  # a drawing takes milliseconds unless the machine is busy
_MEMORY = 1 << 30

_CHILD = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]), int(sys.argv[3])))
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[4]), int(sys.argv[4])))
except (ImportError, ValueError, OSError):
    pass  # not on every system; the caller's time-out works everywhere
sys.path.insert(0, sys.argv[1])
import resvg_py
side = int(sys.argv[2])
text = sys.stdin.buffer.read().decode()
try:
    png = resvg_py.svg_to_bytes(svg_string=text, width=side, height=side, dpi=96, skip_system_fonts=True)
    sys.stdout.buffer.write(png)
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
    spec = find_spec(SVG.package)
    if spec is None or spec.origin is None:
        raise PictureError(name, f"is SVG, which needs a package that is missing: pip install {SVG.install}")
    place = Path(spec.origin).parent.parent
    # -I -S: ignore the user's environment and start-up files.
    call = [sys.executable, "-I", "-S", "-c", _CHILD, str(place), str(SIDE), str(SECONDS), str(_MEMORY)]
    try:
        done = subprocess.run(call, input=text.encode(), capture_output=True, timeout=2 * SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise PictureError(name, "takes too long to draw; save it as PNG") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() if done.returncode == 1 else []
        why = lines[-1][:120] if lines else "too deep or too heavy"
        raise PictureError(name, f"is not an SVG that can be drawn ({why}); save it as PNG")
    image = Image.open(io.BytesIO(done.stdout), formats=["PNG"])
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
