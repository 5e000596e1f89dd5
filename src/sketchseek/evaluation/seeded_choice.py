"""Random choices fixed by a seed: they depend neither on the order of the candidates nor on a library's version."""

import hashlib
from collections.abc import Iterable


def choose(candidates: Iterable[str], count: int, *, seed: int, purpose: str) -> list[str]:
    """``count`` of the distinct candidates (all of them if there are fewer), in random order.

    Choices for different ``purpose`` are independent. The rank of a candidate does not depend on the others, so a
    larger choice begins with the smaller one.
    """

    def rank(name: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{purpose}:{seed}:{name}".encode("utf-8", "surrogateescape")).digest(), name

    return sorted(set(candidates), key=rank)[:count]
