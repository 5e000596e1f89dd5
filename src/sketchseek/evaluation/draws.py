"""Draws that a seed fixes for ever: neither the order of the candidates nor a library's version has a say in them."""

import hashlib
from collections.abc import Iterable


def draw(candidates: Iterable[str], count: int, *, seed: int, purpose: str) -> list[str]:
    """``count`` of the distinct candidates (all, where there are fewer), in the order they were drawn.

    ``purpose`` separates draws of one seed. A candidate's rank does not depend on the others, so a larger draw contains
    the smaller one.
    """

    def rank(name: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{purpose}:{seed}:{name}".encode("utf-8", "surrogateescape")).digest(), name

    return sorted(set(candidates), key=rank)[:count]
