"""Which store keeps a gallery: the scheme of its address says so, ``milvus://...``; a plain path is a folder.

A store of another package is an entry point of the group ``sketchseek.stores``: its name is the scheme, its value a
function like :class:`OpenStore`.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from sketchseek.extensions import load, registered
from sketchseek.gallery.errors import GalleryError
from sketchseek.wording import nearest

if TYPE_CHECKING:
    import os

    from sketchseek.gallery.gallery import Gallery
    from sketchseek.model import Model

GROUP = "sketchseek.stores"
FOLDER = "file"  # the store of a path without a scheme

# scheme -> "module:function"; imported when a gallery of it is opened, not before
STORES: dict[str, str] = {
    FOLDER: "sketchseek.gallery.embedded.gallery:open_store",
    "milvus": "sketchseek.gallery.milvus.gallery:open_store",
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


class OpenStore(Protocol):
    """Opens a gallery of one kind of store."""

    def __call__(
        self,
        address: "str | os.PathLike[str]",
        *,
        model: "Model | str | None",
        readonly: bool,
        create: bool,
        roots: "Mapping[str, str | os.PathLike[str]] | None",
    ) -> "Gallery":
        """The gallery at ``address``, created if it is missing and ``create`` is true; see ``Gallery.open``."""


def is_address(place: object) -> bool:
    """Whether a gallery's name is an address with a scheme rather than a path."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def opener(place: object) -> OpenStore:
    """The function that opens the gallery at this address or path."""
    match = _ADDRESS.match(place) if isinstance(place, str) else None
    scheme = match[1].lower() if match else FOLDER
    if scheme in STORES:
        module, _, function = STORES[scheme].partition(":")
        return cast(OpenStore, getattr(import_module(module), function))
    others = registered(GROUP)
    if scheme not in others:
        known = sorted({*STORES, *others} - {FOLDER})
        close = nearest(scheme, known) or known
        raise GalleryError(
            f"no store is registered for {scheme}://; name a folder, or an address with {' or '.join(close)}://."
        )
    found = load(others[scheme], "store")
    if not callable(found):
        raise GalleryError(f"the store {others[scheme]} of {scheme}:// is not a function that opens a gallery.")
    return cast(OpenStore, found)
