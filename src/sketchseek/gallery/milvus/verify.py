"""Find the damage in a gallery on a server, and repair it: delete damaged rows and build the index again."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.reader import FileRow, Reader
from sketchseek.gallery.milvus.server import ANSWER_S, as_gallery_errors
from sketchseek.gallery.milvus.tables import LOAD_S, Tables, indexes_of, key_of, photo_of
from sketchseek.gallery.records import Problem


def problems(reader: Reader) -> list[Problem]:
    """The problems of a gallery; reads every row with its vector."""
    found = []
    keys: set[str] = set()
    double = damaged = 0
    for row in _rows(reader):
        double += row.key in keys
        keys.add(row.key)
        damaged += not _is_intact(row)
    if damaged:
        found.append(Problem(f"{damaged} rows are damaged: run `sketchseek gallery rebuild`, then `sketchseek index`."))
    if double:
        found.append(Problem(f"{double} rows exist twice: run `sketchseek gallery rebuild`."))
    counted = reader.count(fresh=True)
    if counted != len(keys) + double:
        found.append(Problem(f"the server counts {counted} rows but returns {len(keys) + double}; verify again later."))
    if outdated := reader.outdated_failures():
        found.append(Problem(f"{outdated} indexed files are also recorded as failed: run `sketchseek index`."))
    return found


def repair(reader: Reader) -> list[Problem]:
    """Delete damaged rows; the next indexing reads their files again."""
    damaged = [row.key for row in _rows(reader) if not _is_intact(row)]
    for start in range(0, len(damaged), 1000):
        with as_gallery_errors(reader.address):
            reader.client.delete(reader.tables.files, ids=damaged[start : start + 1000], timeout=ANSWER_S)
    if not damaged:
        return []
    dropped = f"{len(damaged)} damaged rows were dropped"
    return [Problem(f"{dropped}; the next `sketchseek index` reads their files again.")]


def reindex(client: Any, address: Address, tables: Tables) -> None:
    """Build the index as in the address, or as it was; searches fail until it is loaded again."""
    with as_gallery_errors(address):
        made = client.describe_index(tables.files, "vector") or {}
    index = indexes_of(client, address.with_index(made))
    with as_gallery_errors(address):
        client.release_collection(tables.files, timeout=ANSWER_S)
        for name in client.list_indexes(tables.files):
            client.drop_index(tables.files, name, timeout=ANSWER_S)
        client.create_index(tables.files, index, timeout=LOAD_S)
        client.load_collection(tables.files, timeout=LOAD_S)


def _rows(reader: Reader) -> Iterator[FileRow]:
    return (row for page in reader.rows() for row in page)


def _is_intact(row: FileRow) -> bool:
    """Whether the parts of a row agree: key and place, number and hash, a vector of length 1."""
    content = row.content
    length = float(np.linalg.norm(content.vector.astype(np.float32)))
    return (
        row.place is not None
        and row.key == key_of(row.place)
        and row.photo == photo_of(content.digest)
        and abs(length - 1) < 0.01
    )
