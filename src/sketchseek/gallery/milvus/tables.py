"""What a gallery is on the server: an alias, and the two collections behind it.

The alias is the gallery's name. It leads to the collection of *files*: a row is one file with its content's vector, so
a row is written, moved and removed whole. Its key comes from root and way, so that whoever indexes a file writes the
same row; ``photo`` is the public id of the content as a number. The collection's description says whose vectors these
are. Beside it *notes* hold what has no vector: the folders that were added, and files that could not be taken in.
"""

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import KINDS, Address, OtherIndexError
from sketchseek.gallery.milvus.server import KEEPS_VECTORS, is_missing, plain_words, version_of
from sketchseek.gallery.records import ModelSet
from sketchseek.gallery.roots import Place, encoded

FORMAT = 1
MARK = "sketchseek"
MOST = 16_384  # rows that the server gives in one answer
FACTS = ("root", "path", "size", "mtime_ns", "hash", "width", "height", "taken")
LOAD_S = 600.0


@dataclass(frozen=True, slots=True)
class Tables:
    """The collections that an alias leads to, whose vectors they hold, and the kind of index."""

    files: str
    model: ModelSet
    kind: str

    @property
    def notes(self) -> str:
        return self.files + "__notes"


def key_of(place: Place) -> str:
    """The primary key of a file: 128 bits of a hash, so that no two files ever meet."""
    return hashlib.blake2b(f"{place.root}\0{encoded(place.way)}".encode(), digest_size=16).hexdigest()


def photo_of(digest: bytes) -> int:
    """The public id of a content as the server's signed number."""
    return int.from_bytes(digest[:8], "big", signed=True)


def id_of(photo: int) -> str:
    return photo.to_bytes(8, "big", signed=True).hex()


def photo_of_id(id: str) -> int | None:
    """The number of a public id; None if it is none."""
    try:
        low = bytes.fromhex(id)
    except ValueError:
        return None
    return photo_of(low) if len(low) == 8 and low.hex() == id else None


def find(client: Any, address: Address, *, any_index: bool = False) -> Tables | None:
    """What the gallery's name leads to; None if there is no such gallery, one sentence if it is something else.

    ``any_index``: even if it has another index than the address names, or none.
    """
    from pymilvus.exceptions import MilvusException

    with plain_words(address):
        try:
            told = client.describe_collection(address.name)
        except MilvusException as error:
            if is_missing(error):
                return None
            raise
    files = str(told["collection_name"])
    model = _model_of(told, address)
    with plain_words(address):
        made = client.describe_index(files, "vector")
    kind = str(made.get("index_type", "")).lower() if made else "none"
    if any_index:
        return Tables(files, model, kind)
    if kind not in KINDS:
        raise OtherIndexError(
            f"the gallery {address} has an index of kind {kind}, which this sketchseek does not know; make it anew "
            "with `sketchseek gallery rebuild`."
        )
    address.check_index(made)
    check_kept(client, address, kind)
    return Tables(files, model, kind)


def _model_of(told: dict[str, Any], address: Address) -> ModelSet:
    try:
        record = json.loads(told["description"])
        version = record[MARK]
        model = ModelSet(row=0, used=1, **record["model"])
    except (ValueError, KeyError, TypeError):
        raise GalleryError(
            f"the collection {address.name} on {address.host}:{address.port} was not made by sketchseek; name another "
            "gallery."
        ) from None
    if version > FORMAT:
        raise GalleryError(
            f"the gallery {address} has format {version}, made by a newer sketchseek; this one reads up to {FORMAT}: "
            "upgrade sketchseek, or name another gallery."
        )
    dims = [field["params"].get("dim") for field in told["fields"] if field["name"] == "vector"]
    if [int(dim or 0) for dim in dims] != [model.size]:
        raise GalleryError(
            f"the collection of the gallery {address} holds vectors of another size than its model {model.name} makes; "
            "name another gallery."
        )
    return model


def create(client: Any, address: Address, identity: str, name: str, source: str, size: int) -> Tables:
    """The collections of a new gallery, loaded, and then its name. Whoever else does the same ends with the same."""
    from pymilvus import DataType
    from pymilvus.exceptions import MilvusException

    files = f"{address.name}__{zlib.crc32(identity.encode()):08x}"
    vectors = index_of(client, address)  # or a sentence, before anything is made
    told = {MARK: FORMAT, "model": {"identity": identity, "name": name, "source": source, "size": size}}
    with plain_words(address):
        notes = client.create_schema(auto_id=False, enable_dynamic_field=False, description=json.dumps({MARK: FORMAT}))
        _text(notes, "key", 64, is_primary=True)
        _text(notes, "kind", 16)
        _place(notes)
        _text(notes, "text", 4096)
        notes.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)  # a collection has to have a vector
        index = client.prepare_index_params()
        index.add_index("nothing", index_type="FLAT", metric_type="IP", params={})
        _make(client, files + "__notes", notes, index)

        rows = client.create_schema(auto_id=False, enable_dynamic_field=False, description=json.dumps(told))
        _text(rows, "key", 32, is_primary=True)
        _place(rows)
        rows.add_field("photo", DataType.INT64)
        _text(rows, "hash", 64)
        rows.add_field("width", DataType.INT32)
        rows.add_field("height", DataType.INT32)
        _text(rows, "taken", 32)
        rows.add_field("vector", DataType.FLOAT_VECTOR, dim=size)
        _make(client, files, rows, vectors)
        try:
            client.create_alias(files, address.name)
        except MilvusException:
            if find(client, address) is None:  # another indexer was faster, perhaps with another model
                raise
    made = find(client, address)
    assert made is not None, "its alias was made just now"
    return made


def check_kept(client: Any, address: Address, kind: str) -> None:
    """A sentence if the server would lose the vectors behind an index of this kind."""
    if kind != "ivf_sq8" or address.object_storage:
        return
    with plain_words(address):
        version, numbers = version_of(client)
    if numbers < KEEPS_VECTORS:
        raise GalleryError(
            f"Milvus {version} loses the vectors behind an ivf_sq8 index if it keeps files on its own disk; use "
            "index=hnsw or ivf_flat (`sketchseek gallery rebuild` makes that of a gallery), a server of 2.4 or newer, "
            "or, if this one keeps them in an object store, add &storage=object to the address."
        )


def index_of(client: Any, address: Address) -> Any:
    """The indexes of the files: of vectors as the address says, of ids sorted; a sentence if vectors would be lost."""
    parameters = address.index_parameters()
    check_kept(client, address, parameters["index_type"].lower())
    index = client.prepare_index_params()
    index.add_index("vector", index_name="vector", **parameters)
    index.add_index("photo", index_name="photo", index_type="STL_SORT")
    return index


def _make(client: Any, name: str, schema: Any, index: Any) -> None:
    # One shard: a row's order of writes is kept, and a batch arrives in one piece. The server adds nodes to it.
    client.create_collection(
        name, schema=schema, index_params=index, num_shards=1, consistency_level="Bounded", timeout=LOAD_S
    )


def _text(schema: Any, name: str, length: int, **more: Any) -> None:
    from pymilvus import DataType

    schema.add_field(name, DataType.VARCHAR, max_length=length, **more)


def _place(schema: Any) -> None:
    from pymilvus import DataType

    _text(schema, "root", 64)
    _text(schema, "path", 16_384)  # the longest path that a system takes, every byte of it escaped
    schema.add_field("size", DataType.INT64)
    schema.add_field("mtime_ns", DataType.INT64)


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
