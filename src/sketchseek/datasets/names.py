"""Class names as people spell them, and the one key they are compared by."""

import difflib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


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


def display(name: str) -> str:
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
