"""Is a gallery on a server whole? And if not: drop what cannot be true, and make the index anew."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sketchseek.gallery.milvus.address import Address
from sketchseek.gallery.milvus.reader import FileRow, Reader
from sketchseek.gallery.milvus.server import ANSWER_S, plain_words
from sketchseek.gallery.milvus.tables import LOAD_S, Tables, index_of, key_of, photo_of
from sketchseek.gallery.records import Problem


def problems(reader: Reader) -> list[Problem]:
    """All that is wrong; reads every row with its vector."""
    found = []
    keys: set[str] = set()
    double = damaged = 0
    for row in _rows(reader):
        double += row.key in keys
        keys.add(row.key)
        damaged += not _true(row)
    if damaged:
        found.append(Problem(f"{damaged} rows are damaged: run `sketchseek gallery rebuild`, then `sketchseek index`."))
    if double:
        found.append(Problem(f"{double} rows are there twice: run `sketchseek gallery rebuild`."))
    counted = reader.count(fresh=True)
    if counted != len(keys) + double:
        found.append(Problem(f"the server counts {counted} rows and gives {len(keys) + double}; verify again later."))
    if outdated := reader.outdated():
        found.append(Problem(f"{outdated} files that are there are noted as failed: run `sketchseek index`."))
    return found


def repair(reader: Reader) -> list[Problem]:
    """Delete rows that cannot be true; the next indexing looks at their files again."""
    damaged = [row.key for row in _rows(reader) if not _true(row)]
    for start in range(0, len(damaged), 1000):
        with plain_words(reader.address):
            reader.client.delete(reader.tables.files, ids=damaged[start : start + 1000], timeout=ANSWER_S)
    if not damaged:
        return []
    dropped = f"{len(damaged)} damaged rows were dropped"
    return [Problem(f"{dropped}; the next `sketchseek index` looks at their files again.")]


def reindex(client: Any, address: Address, tables: Tables) -> None:
    """Make the index of the vectors as the address says, or as it was; searches fail until it is loaded again."""
    with plain_words(address):
        made = client.describe_index(tables.files, "vector") or {}
    index = index_of(client, address.like(made))
    with plain_words(address):
        client.release_collection(tables.files, timeout=ANSWER_S)
        for name in client.list_indexes(tables.files):
            client.drop_index(tables.files, name, timeout=ANSWER_S)
        client.create_index(tables.files, index, timeout=LOAD_S)
        client.load_collection(tables.files, timeout=LOAD_S)


def _rows(reader: Reader) -> Iterator[FileRow]:
    return (row for page in reader.rows() for row in page)


def _true(row: FileRow) -> bool:
    """Whether a row agrees with itself: key and place, number and hash, a vector of length 1."""
    content = row.content
    length = float(np.linalg.norm(content.vector.astype(np.float32)))
    return (
        row.place is not None
        and row.key == key_of(row.place)
        and row.photo == photo_of(content.digest)
        and abs(length - 1) < 0.01
    )
