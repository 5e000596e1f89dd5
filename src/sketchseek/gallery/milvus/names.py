"""Names of galleries on a server, and where they lead."""

from typing import Any

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.server import plain_words
from sketchseek.gallery.milvus.tables import check_kept, find


def switch(client: Any, address: Address, other: Address) -> None:
    """``address`` leads to what ``other`` leads to, in one step: no search falls between."""
    if (address.host, address.port) != (other.host, other.port):
        raise GalleryError(f"{address} and {other} are on two servers, and a name leads to its own; copy the gallery.")
    target = find(client, other, any_index=True)
    if target is None:
        raise GalleryError(f"there is no gallery {other} to switch to; index or copy into it first.")
    check_kept(client, address, target.kind)
    with plain_words(address):
        if find(client, address, any_index=True) is None:
            client.create_alias(target.files, address.name)
        else:
            client.alter_alias(target.files, address.name)
