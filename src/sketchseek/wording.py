"""Sentences that are right for one thing and for many."""

import difflib
import os
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def counted(number: int, one: str, many: str = "") -> str:
    """``1 class``, ``2 classes``; ``many`` is what no simple s makes."""
    return f"{number} {one if number == 1 else many or one + 's'}"


@lru_cache(maxsize=4096)  # lists name the same few classes in a hundred thousand rows
def canonical(name: str) -> str:
    """Key of a class: its letters and digits in lower case, so ``car_(sedan)`` and ``Car Sedan`` are one.

    Vowel signs and accents count as letters, and both ways Unicode writes an accent give the same key.
    """
    key = _letters(name)
    while (again := _letters(key)) != key:  # without a sign between them, two characters can be one in Unicode
        key = again
    return key


def _letters(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c).startswith("M"))


def class_in_words(name: str) -> str:
    """Words of a class for a prompt: ``car_(sedan)`` -> ``car sedan``, ``hot-air_balloon`` -> ``hot air balloon``.

    Words in parentheses stay, because they tell ``mouse (animal)`` from the computer's; the signs themselves go,
    because a tokenizer would make tokens of them.
    """
    return " ".join(name.translate(_SIGNS).split())


_SIGNS = str.maketrans("_-()", "    ")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` spellings among ``known`` that ``name`` may have been meant for, the likeliest first."""
    by_key = {canonical(spelling): spelling for spelling in known}
    return [by_key[key] for key in difflib.get_close_matches(canonical(name), by_key, n=count, cutoff=0.6)]


def shown(path: bytes | str | os.PathLike[str]) -> str:
    r"""A path on one line for people: bytes that are no text and line ends are written as ``\xff`` and ``\n``."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    r"""``\x80`` is the byte; the character of that number is ``\u0080``."""
    return f"\\u{ord(char):04x}" if 0x80 <= ord(char) <= 0xFF else char.encode("unicode_escape").decode()
