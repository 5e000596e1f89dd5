"""A gallery on the server: an alias, and the two collections behind it.

The alias is the gallery's name. It points to the collection of *files*: a row is one file with its content's vector,
so a row is written, moved and removed whole. Its key comes from the root and the relative path, so that all machines
write the same row for the same file; ``photo`` is the public id of the content as a number, ``lines`` its outlines and
``colours`` its colours in base64, empty if it has none. Collections made before there were such fields go on without.
The collection's description names the model. The collection of *notes* has what has no vector: folders that were added,
and files that could not be indexed.
"""

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import KINDS, Address, OtherIndexError
from sketchseek.gallery.milvus.server import KEEPS_VECTORS, as_gallery_errors, is_missing, version_of
from sketchseek.gallery.records import ModelSet
from sketchseek.gallery.roots import Place, encoded

FORMAT = 1
MARK = "sketchseek"
MAX_RESULTS = 16_384  # rows that the server returns at once
PLACE = ("root", "path", "size", "mtime_ns")
LOAD_S = 600.0


@dataclass(frozen=True, slots=True)
class Tables:
    """The collections that an alias points to, the model of their vectors, and the kind of index.

    ``keeps_lines``: whether the files have a field for outlines. ``keeps_facts``: for colours and the camera.
    """

    files: str
    model: ModelSet
    kind: str
    keeps_lines: bool
    keeps_facts: bool

    @property
    def content_fields(self) -> list[str]:
        """What ``reader.content_of`` reads of a row."""
        return ["hash", "width", "height", "taken", "vector", *self.later_fields]

    @property
    def later_fields(self) -> list[str]:
        """Those of them that not every gallery has."""
        return [*(["lines"] if self.keeps_lines else []), *(["colours", "camera"] if self.keeps_facts else [])]

    @property
    def notes(self) -> str:
        return self.files + "__notes"


def key_of(place: Place) -> str:
    """The primary key of a file: 128 bits of a hash, so that no two files have the same."""
    return hashlib.blake2b(f"{place.root}\0{encoded(place.relative)}".encode(), digest_size=16).hexdigest()


def photo_of(digest: bytes) -> int:
    """The public id of a content as the server's signed number."""
    return int.from_bytes(digest[:8], "big", signed=True)


def id_of(photo: int) -> str:
    return photo.to_bytes(8, "big", signed=True).hex()


def photo_of_id(id: str) -> int | None:
    """The number of a public id; None if the id is not valid."""
    try:
        low = bytes.fromhex(id)
    except ValueError:
        return None
    return photo_of(low) if len(low) == 8 and low.hex() == id else None


def find(client: Any, address: Address, *, any_index: bool = False) -> Tables | None:
    """The collections of a gallery; None if there is no such gallery, an error if the name is something else.

    ``any_index``: accept a gallery with another index than the address names, or without one.
    """
    from pymilvus.exceptions import MilvusException

    with as_gallery_errors(address):
        try:
            description = client.describe_collection(address.name)
        except MilvusException as error:
            if is_missing(error):
                return None
            raise
    files = str(description["collection_name"])
    model = _model_of(description, address)
    names = {field["name"] for field in description["fields"]}
    with as_gallery_errors(address):
        made = client.describe_index(files, "vector")
    kind = str(made.get("index_type", "")).lower() if made else "none"
    tables = Tables(files, model, kind, "lines" in names, {"colours", "camera"} <= names)
    if any_index:
        return tables
    if kind not in KINDS:
        raise OtherIndexError(
            f"the gallery {address} has an index of kind {kind}, which this sketchseek does not know; build it again "
            "with `sketchseek gallery rebuild`."
        )
    address.check_index(made)
    check_keeps_vectors(client, address, kind)
    return tables


def _model_of(description: dict[str, Any], address: Address) -> ModelSet:
    try:
        record = json.loads(description["description"])
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
    dims = [field["params"].get("dim") for field in description["fields"] if field["name"] == "vector"]
    if [int(dim or 0) for dim in dims] != [model.size]:
        raise GalleryError(
            f"the collection of the gallery {address} holds vectors of another size than its model {model.name} makes; "
            "name another gallery."
        )
    return model


def create(client: Any, address: Address, identity: str, name: str, source: str, size: int) -> Tables:
    """Make and load the collections of a new gallery, then its name. Several processes may do this at once."""
    from pymilvus import DataType
    from pymilvus.exceptions import MilvusException

    files = f"{address.name}__{zlib.crc32(identity.encode()):08x}"
    vectors = indexes_of(client, address)  # raises an error before anything is made
    record = {MARK: FORMAT, "model": {"identity": identity, "name": name, "source": source, "size": size}}
    with as_gallery_errors(address):
        notes = client.create_schema(auto_id=False, enable_dynamic_field=False, description=json.dumps({MARK: FORMAT}))
        _text(notes, "key", 64, is_primary=True)
        _text(notes, "kind", 16)
        _place(notes)
        _text(notes, "text", 4096)
        notes.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)  # a collection requires a vector
        index = client.prepare_index_params()
        index.add_index("nothing", index_type="FLAT", metric_type="IP", params={})
        _make(client, files + "__notes", notes, index)

        rows = client.create_schema(auto_id=False, enable_dynamic_field=False, description=json.dumps(record))
        _text(rows, "key", 32, is_primary=True)
        _place(rows)
        rows.add_field("photo", DataType.INT64)
        _text(rows, "hash", 64)
        rows.add_field("width", DataType.INT32)
        rows.add_field("height", DataType.INT32)
        _text(rows, "taken", 32)
        _text(rows, "lines", 65_535)
        _text(rows, "colours", 1024)
        _text(rows, "camera", 512)
        rows.add_field("vector", DataType.FLOAT_VECTOR, dim=size)
        _make(client, files, rows, vectors)
        try:
            client.create_alias(files, address.name)
        except MilvusException:
            if find(client, address) is None:  # another process was faster, perhaps with another model
                raise
    made = find(client, address)
    assert made is not None, "the alias was just made"
    return made


def check_keeps_vectors(client: Any, address: Address, kind: str) -> None:
    """Raise an error if the server would lose the vectors behind an index of this kind."""
    if kind != "ivf_sq8" or address.object_storage:
        return
    with as_gallery_errors(address):
        version, numbers = version_of(client)
    if numbers < KEEPS_VECTORS:
        raise GalleryError(
            f"Milvus {version} loses the vectors behind an ivf_sq8 index if it keeps files on its own disk; use "
            "index=hnsw or ivf_flat (`sketchseek gallery rebuild` converts a gallery), a server of 2.4 or newer, "
            "or, if this one keeps its files in an object store, add &storage=object to the address."
        )


def indexes_of(client: Any, address: Address) -> Any:
    """The indexes of the files: of vectors as in the address, of ids sorted; an error if vectors would be lost."""
    parameters = address.index_parameters()
    check_keeps_vectors(client, address, parameters["index_type"].lower())
    index = client.prepare_index_params()
    index.add_index("vector", index_name="vector", **parameters)
    index.add_index("photo", index_name="photo", index_type="STL_SORT")
    return index


def _make(client: Any, name: str, schema: Any, index: Any) -> None:
    # One shard keeps the order of writes and makes a batch visible at once; the server can still spread it over nodes.
    client.create_collection(
        name, schema=schema, index_params=index, num_shards=1, consistency_level="Bounded", timeout=LOAD_S
    )


def _text(schema: Any, name: str, length: int, **more: Any) -> None:
    from pymilvus import DataType

    schema.add_field(name, DataType.VARCHAR, max_length=length, **more)


def _place(schema: Any) -> None:
    from pymilvus import DataType

    _text(schema, "root", 64)
    _text(schema, "path", 16_384)  # the longest path of a system, with every byte escaped
    schema.add_field("size", DataType.INT64)
    schema.add_field("mtime_ns", DataType.INT64)


def switch(client: Any, address: Address, other: Address) -> None:
    """Make ``address`` point to the gallery ``other``, in one step: every search sees one of the two."""
    if (address.host, address.port) != (other.host, other.port):
        raise GalleryError(
            f"{address} and {other} are on two servers, and a name can only point to its own; copy the gallery."
        )
    target = find(client, other, any_index=True)
    if target is None:
        raise GalleryError(f"there is no gallery {other} to switch to; index or copy into it first.")
    check_keeps_vectors(client, address, target.kind)
    with as_gallery_errors(address):
        if find(client, address, any_index=True) is None:
            client.create_alias(target.files, address.name)
        else:
            client.alter_alias(target.files, address.name)
