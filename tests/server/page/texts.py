"""All texts of the page, as they stand in its scripts and in its HTML."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "src" / "sketchseek" / "server" / "page"
SHOWN = ("aria-label", "aria-roledescription", "alt", "title", "placeholder")
# Texts that scripts put together from a fixed list.
COMPOSED = {
    *(f"Theme: {name}" for name in ("system", "light", "dark")),
    *("bicycle", "umbrella", "church", "plane"),
}


def of_scripts() -> set[str]:
    """The texts that scripts pass to ``t`` and ``counted``."""
    found = set(COMPOSED)
    for path in (PAGE / "js").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for match in re.finditer(r"(?<![\w.])(?:t|counted)\(", source):
            if not source[: match.start()].endswith("function "):
                found |= set(_literals(source, match.end()))
    return found


def _literals(source: str, at: int) -> Iterator[str]:
    """The string literals of a call that begins at ``at``, without those it compares with and those of its values."""
    depth = braces = 0
    while depth >= 0:
        letter = source[at]
        depth += (letter == "(") - (letter == ")")
        braces += (letter == "{") - (letter == "}")
        if letter == '"':
            end = at + 1
            while source[end] != '"':
                end += 2 if source[end] == "\\" else 1
            if not braces and not source[:at].endswith("== "):
                yield source[at + 1 : end].replace('\\"', '"')
            at = end
        elif letter == "`":
            at = source.index("`", at + 1)
        at += 1


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attributes if name in SHOWN and value}
        if tag == "meta" and dict(attributes).get("name") == "description":
            self.found.add(str(dict(attributes)["content"]))

    def handle_data(self, data: str) -> None:
        if re.search("[A-Za-z]", data):
            self.found.add(data.strip())


def of_html() -> set[str]:
    """Text and attributes that people read, but for the name of the program."""
    reader = _Reader()
    reader.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    return reader.found - {"sketchseek"}
