"""The address of a gallery on a Milvus server, with options for search: ``milvus://host:19530/name?ef=64``.

Options: ``index`` (hnsw, ivf_flat, ivf_sq8 or flat) with ``m`` and ``ef_construction`` or ``nlist``, used when the
index is built; ``ef`` or ``nprobe``, used by searches; ``consistency`` of searches (bounded or strong);
``storage=object`` if the server keeps its files in an object store.
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
_SERVER_NAMES = {"m": "M", "ef_construction": "efConstruction", "nlist": "nlist"}  # the server's names


class OtherIndexError(GalleryError):
    """The index is not the one that the address names; ``Gallery.rebuild`` builds that one."""


@dataclass(frozen=True)
class Address:
    """``given``: the numbers in the text; the others are ``DEFAULTS``. ``kind``: of index, None if not in the text."""

    text: str  # as it was written, to open the same gallery again
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
        """The server's parameters for building the index; an error if the index does not have a given number."""
        kind = self.kind or "hnsw"
        if unused := [key for key in self.given if key in BUILDING and key not in KINDS[kind]]:
            raise GalleryError(
                f"{_unknown_parameter(kind, unused[0])}; name the kind of index in the address, as index=KIND."
            )
        numbers = {_SERVER_NAMES[key]: self._number(key) for key in KINDS[kind] if key in BUILDING}
        return {"index_type": kind.upper(), "metric_type": "IP", "params": numbers}

    def search_parameters(self, kind: str, count: int) -> dict[str, Any]:
        """The server's parameters for searching an index of ``kind`` for ``count`` vectors."""
        numbers = {key: self._number(key) for key in KINDS[kind] if key in SEARCHING}
        if "ef" in numbers:
            numbers["ef"] = max(numbers["ef"], count)  # the server rejects less
        return {"metric_type": "IP", "params": numbers}

    def check_index(self, made: Mapping[str, Any]) -> None:
        """Raise an error if the address names another index than ``made``, the server's description of it."""
        kind = str(made.get("index_type", "")).lower()
        differs = [f"index={self.kind}"] if self.kind is not None and self.kind != kind else []
        for key, value in self.given.items():
            if key in BUILDING and str(made.get(_SERVER_NAMES[key])) != str(value):
                differs.append(f"{key}={value}")
        if differs:
            raise OtherIndexError(
                f"the index of the gallery {self} was not made with {' and '.join(differs)}; omit that, or "
                "build the index again with `sketchseek gallery rebuild` and this address."
            )

    def with_index(self, made: Mapping[str, Any]) -> "Address":
        """This address, completed by the index that the gallery has (``made``, as the server describes it)."""
        kind = str(made.get("index_type", "")).lower()
        if kind not in KINDS or self.kind not in (None, kind):
            return self
        kept = {
            key: int(made[_SERVER_NAMES[key]]) for key in KINDS[kind] if key in BUILDING and _SERVER_NAMES[key] in made
        }
        return replace(self, kind=kind, given={**kept, **self.given})

    def _number(self, key: str) -> int:
        return self.given.get(key, DEFAULTS[key])


def parse(text: str) -> Address:
    """The address in a text; an error if it is not valid."""
    if "@" in text:  # anywhere, because a secret may have / or # in it; the message does not repeat it
        raise GalleryError(
            "a password does not belong in the address of a gallery, where logs and shell histories keep it; put it in "
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
        raise GalleryError(f"{text} does not name a gallery; write {FORM}, NAME of letters, digits and underscores.")
    kind = options.pop("index", None)
    if kind is not None and kind not in KINDS:
        raise GalleryError(f"unknown index {kind!r}; choose from {', '.join(KINDS)}.")
    consistency = options.pop("consistency", "bounded")
    if consistency not in CONSISTENCIES:
        raise GalleryError(f"unknown consistency {consistency!r}; choose from {', '.join(CONSISTENCIES)}.")
    storage = options.pop("storage", None)
    if storage not in (None, "object"):
        raise GalleryError(f"storage={storage} in the address of the gallery: write storage=object, or omit it.")
    given = {key: _number(key, value) for key, value in options.items()}
    if kind is not None and (unused := [key for key in given if key not in KINDS[kind]]):
        raise GalleryError(f"{_unknown_parameter(kind, unused[0])}.")
    shown_host = f"[{host}]" if ":" in host else host
    return Address(text, shown_host, port, name, kind, given, CONSISTENCIES[consistency], storage == "object")


def _unknown_parameter(kind: str, key: str) -> str:
    return f"an index {kind} has no {key}; it has {' and '.join(KINDS[kind]) or 'no numbers'}"


def _number(key: str, value: str) -> int:
    limits = {**BUILDING, **SEARCHING}
    if key not in limits:
        raise GalleryError(
            f"unknown option {key!r} in the address of a gallery; choose from index, consistency, storage, "
            f"{', '.join(limits)}."
        )
    low, high = limits[key]
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise GalleryError(f"{key}={value} in the address of the gallery: give a whole number from {low} to {high}.")
    return int(value)
