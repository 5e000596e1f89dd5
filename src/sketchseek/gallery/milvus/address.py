"""Where a gallery is on a Milvus server, and how it is to be searched: ``milvus://host:19530/name?ef=64``.

What may stand behind the question mark: ``index`` (hnsw, ivf_flat, ivf_sq8 or flat) with ``m`` and
``ef_construction`` or ``nlist``, used when the index is made; ``ef`` or ``nprobe``, used by searches; ``consistency``
(bounded or strong) of what searches see; ``storage=object`` of a server that keeps its files in an object store.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sketchseek.gallery.errors import GalleryError

SCHEME = "milvus://"
PORT = 19530
FORM = "milvus://HOST:19530/NAME"

BUILDING = {"m": (2, 2048), "ef_construction": (8, 4096), "nlist": (1, 65536)}
SEARCHING = {"ef": (1, 32768), "nprobe": (1, 65536)}
KINDS: Mapping[str, tuple[str, ...]] = {
    "hnsw": ("m", "ef_construction", "ef"),
    "ivf_flat": ("nlist", "nprobe"),
    "ivf_sq8": ("nlist", "nprobe"),
    "flat": (),
}
CONSISTENCIES = {"bounded": "Bounded", "strong": "Strong"}
DEFAULTS = {"m": 16, "ef_construction": 200, "ef": 128, "nlist": 1024, "nprobe": 32}
_SPELLED = {"m": "M", "ef_construction": "efConstruction", "nlist": "nlist"}  # as the server wants it


class OtherIndexError(GalleryError):
    """The index is not the one that the address names: ``Gallery.rebuild`` makes that one."""


@dataclass(frozen=True)
class Address:
    """``given``: the numbers that were named; the rest are ``DEFAULTS``. ``kind``: of index, None if not named."""

    text: str  # as it was written: it opens the same gallery again
    host: str
    port: int
    name: str
    kind: str | None = None
    given: Mapping[str, int] = field(default_factory=dict)
    consistency: str = "Bounded"
    object_storage: bool = False

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}:{self.port}/{self.name}"

    def index_parameters(self) -> dict[str, Any]:
        """What to give the server to make the index; a sentence if a number is named that it does not have."""
        kind = self.kind or "hnsw"
        if astray := [key for key in self.given if key in BUILDING and key not in KINDS[kind]]:
            raise GalleryError(f"{_lacks(kind, astray[0])}; name the kind that you mean in the address, as index=KIND.")
        numbers = {_SPELLED[key]: self._number(key) for key in KINDS[kind] if key in BUILDING}
        return {"index_type": kind.upper(), "metric_type": "IP", "params": numbers}

    def search_parameters(self, kind: str, count: int) -> dict[str, Any]:
        """What to give the server to search an index of ``kind`` for ``count`` vectors."""
        numbers = {key: self._number(key) for key in KINDS[kind] if key in SEARCHING}
        if "ef" in numbers:
            numbers["ef"] = max(numbers["ef"], count)  # the server refuses less
        return {"metric_type": "IP", "params": numbers}

    def check_index(self, made: Mapping[str, Any]) -> None:
        """One sentence if the address names an index other than the one that is there, as the server tells of it."""
        kind = str(made.get("index_type", "")).lower()
        differs = [f"index={self.kind}"] if self.kind is not None and self.kind != kind else []
        for key, value in self.given.items():
            if key in BUILDING and str(made.get(_SPELLED[key])) != str(value):
                differs.append(f"{key}={value}")
        if differs:
            raise OtherIndexError(
                f"the index of the gallery {self} was not made with {' and '.join(differs)}; leave that away, or make "
                "the index anew with `sketchseek gallery rebuild` and this address."
            )

    def like(self, made: Mapping[str, Any]) -> "Address":
        """This address, with the index that is there, as the server tells of it, where it says nothing."""
        kind = str(made.get("index_type", "")).lower()
        if kind not in KINDS or self.kind not in (None, kind):
            return self
        kept = {key: int(made[_SPELLED[key]]) for key in KINDS[kind] if key in BUILDING and _SPELLED[key] in made}
        return replace(self, kind=kind, given={**kept, **self.given})

    def _number(self, key: str) -> int:
        return self.given.get(key, DEFAULTS[key])


def parse(text: str) -> Address:
    """The address that a text names; one sentence if it names none."""
    if "@" in text:  # wherever: a secret may have / or # in it; so the text is not repeated
        raise GalleryError(
            "a password does not belong in the address of a gallery, where logs and histories keep it; put it in "
            "$SKETCHSEEK_MILVUS_TOKEN."
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or PORT
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise GalleryError(f"this address of a Milvus server cannot be read; write {FORM}.") from None
    name = parts.path.strip("/")
    if not host or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        raise GalleryError(f"{text} names no gallery; write {FORM}, NAME of letters, digits and underscores.")
    kind = options.pop("index", None)
    if kind is not None and kind not in KINDS:
        raise GalleryError(f"there is no index {kind!r}; choose from {', '.join(KINDS)}.")
    consistency = options.pop("consistency", "bounded")
    if consistency not in CONSISTENCIES:
        raise GalleryError(f"there is no consistency {consistency!r}; choose from {', '.join(CONSISTENCIES)}.")
    storage = options.pop("storage", None)
    if storage not in (None, "object"):
        raise GalleryError(f"storage={storage} in the address of the gallery: say storage=object, or nothing.")
    given = {key: _number(key, value) for key, value in options.items()}
    if kind is not None and (astray := [key for key in given if key not in KINDS[kind]]):
        raise GalleryError(f"{_lacks(kind, astray[0])}.")
    shown_host = f"[{host}]" if ":" in host else host
    return Address(text, shown_host, port, name, kind, given, CONSISTENCIES[consistency], storage == "object")


def _lacks(kind: str, key: str) -> str:
    return f"an index {kind} has no {key}; it has {' and '.join(KINDS[kind]) or 'no numbers'}"


def _number(key: str, value: str) -> int:
    limits = {**BUILDING, **SEARCHING}
    if key not in limits:
        raise GalleryError(
            f"{key!r} means nothing in the address of a gallery; known are index, consistency, storage, "
            f"{', '.join(limits)}."
        )
    low, high = limits[key]
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise GalleryError(f"{key}={value} in the address of the gallery: give a whole number from {low} to {high}.")
    return int(value)
