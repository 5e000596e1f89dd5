"""Whether a FAISS index from a file is one of ours. A right checksum does not say so: who wrote the file wrote it too.

FAISS trusts what it has read: a wrong count or size in it makes a search read or write outside its memory.
"""

import os
from threading import Lock
from typing import Any, BinaryIO

import numpy as np

from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.index import State, VectorIndex, faiss

MAX_LISTS = 2**20  # as many as for 10^11 vectors
_READING = Lock()  # FAISS has one limit for the whole process


def read_index(stream: BinaryIO) -> Any:
    """The FAISS index in a file, none of whose parts may claim to be larger than the file."""
    limit = getattr(faiss, "set_deserialization_vector_byte_limit", None)  # since FAISS 1.14
    with _READING:
        if limit is not None:
            faiss.set_deserialization_loop_limit(MAX_LISTS)
            limit(max(1, os.fstat(stream.fileno()).st_size))
        return faiss.read_index(faiss.PyCallbackIOReader(stream.read))


def check_state(state: State, catalogue: Catalogue) -> None:
    """Raise ``ValueError`` if the record of an index has impossible values."""
    numbers = (state.generation, state.epoch, state.last_row, state.made_for)
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise ValueError("its record has a number that is none")
    if state.kind not in ("exact", "lists"):
        raise ValueError("its record is not of an index")
    if state.last_row > catalogue.last_vector():
        raise ValueError("it has rows that the database never had")


def check_index(index: VectorIndex) -> None:
    """Raise ``ValueError`` if the index is not built as ``VectorIndex.build`` does it, or contradicts its record."""
    found, size, lists = index.faiss, index.model.size, index.state.kind == "lists"
    wanted = faiss.IndexIVFScalarQuantizer if lists else faiss.IndexIDMap
    if type(found) is not wanted or not _sound(found, size):
        raise ValueError("it is another kind of index, or its vectors have another size")
    if not (_lists_are_sound(found, size) if lists else _codes_are_sound(found, size)):
        raise ValueError("its parts contradict each other")
    rows = np.sort(index.rows())
    if len(rows) != len(index) or (len(rows) and not 1 <= rows[0] <= rows[-1] <= index.state.last_row):
        raise ValueError("its rows contradict its record")
    if not np.diff(rows).all():
        raise ValueError("it has a row twice")


def _sound(index: Any, size: int) -> bool:
    return bool(index.d == size and index.metric_type == faiss.METRIC_INNER_PRODUCT and index.is_trained)


def _codes_are_sound(index: Any, size: int) -> bool:
    inner = faiss.downcast_index(index.index)
    return (
        type(inner) is faiss.IndexScalarQuantizer
        and _sound(inner, size)
        and inner.sq.qtype == faiss.ScalarQuantizer.QT_fp16
        and inner.sq.d == size
        and inner.code_size == inner.sq.code_size == 2 * size
        and inner.ntotal == index.ntotal == index.id_map.size()
        and inner.codes.size() == 2 * size * inner.ntotal
    )


def _lists_are_sound(index: Any, size: int) -> bool:
    centres, lists = faiss.downcast_index(index.quantizer), faiss.downcast_InvertedLists(index.invlists)
    return (
        type(centres) in (faiss.IndexFlat, faiss.IndexFlatIP)
        and _sound(centres, size)
        and 1 <= index.nprobe <= index.nlist <= MAX_LISTS
        and centres.ntotal == index.nlist == lists.nlist
        and centres.code_size == 4 * size
        and centres.codes.size() == 4 * size * centres.ntotal
        and index.sq.qtype == faiss.ScalarQuantizer.QT_8bit
        and index.sq.d == size
        and index.sq.trained.size() == 2 * size
        and type(lists) is faiss.ArrayInvertedLists
        and index.code_size == index.sq.code_size == lists.code_size == size
        and index.by_residual
        and index.direct_map.type == faiss.DirectMap.NoMap
        and lists.compute_ntotal() == index.ntotal
    )
