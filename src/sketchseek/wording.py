"""Text for people: counted things, lists, class names in words, the nearest names, paths that any terminal can show."""

import difflib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache


def counted(number: int, one: str, many: str = "") -> str:
    """``1 photo``, ``2 photos``; ``many`` is the plural if it is not ``one`` and an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """``ant, bee, cat``; if there are more than ``most`` names, the first of them ``and 3 more``."""
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


@lru_cache(maxsize=4096)  # lists name the same few classes in a hundred thousand rows
def canonical(name: str) -> str:
    """The key of a class: its letters and digits in lower case, so that ``car_(sedan)`` and ``Car Sedan`` are the same.

    Vowel signs and accents count as letters, and both ways to write an accent in Unicode give the same key.
    """
    key = _letters(name)
    while (again := _letters(key)) != key:  # once the sign between them is gone, two characters can combine into one
        key = again
    return key


def _letters(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c).startswith("M"))


def class_in_words(name: str) -> str:
    """A class name as words for a prompt: ``car_(sedan)`` -> ``car sedan``, ``hot-air_balloon`` -> ``hot air balloon``.

    Words in parentheses stay, because they separate ``mouse (animal)`` from the computer mouse; the signs are removed,
    because a tokenizer would make tokens of them.
    """
    return " ".join(name.translate(_SIGNS).split())


_SIGNS = str.maketrans("_-()", "    ")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of the ``known`` names that ``name`` may be a misspelling of, the likeliest first."""
    by_key = {canonical(spelling): spelling for spelling in known}
    return [by_key[key] for key in difflib.get_close_matches(canonical(name), by_key, n=count, cutoff=0.6)]


def shown(path: bytes | str | os.PathLike[str], most: int | None = None) -> str:
    r"""A path or name on one line: bytes that are not text and line ends are written as ``\xff`` and ``\n``.

    ``most``: of a longer text only the first and the last characters are shown, ``most`` in all.
    """
    try:
        text = os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a surrogate pair: not a path, but an upload's name can be anything
        text = str(path)
    text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text if most is None or len(text) <= most else f"{text[: most // 2]}...{text[-(most // 2) :]}"


def _escaped(char: str) -> str:
    r"""``\x80`` is the byte; the character of that number is ``\u0080``."""
    return f"\\u{ord(char):04x}" if 0x80 <= ord(char) <= 0xFF else char.encode("unicode_escape").decode()
