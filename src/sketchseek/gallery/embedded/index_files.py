"""The index on disk: ``index-....faiss`` and a ``.json`` beside it with its checksum and its ``State``.

Both are derived: if they are damaged, deleted, outdated or restored from a backup, they are built again.
"""

import json
import logging
import os
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import get_ident
from typing import Any

from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.index import State, VectorIndex, faiss
from sketchseek.gallery.embedded.index_check import check_index, check_state, read_index
from sketchseek.gallery.embedded.replacement import flush
from sketchseek.gallery.records import ModelSet
from sketchseek.untrusted import parse_json, read_bounded

log = logging.getLogger(__name__)

VERSION = 1
SAVE_AT = 0.05  # save an index if this share of it has changed; reading smaller changes from the database is quick


def load(catalogue: Catalogue, model: ModelSet) -> VectorIndex | None:
    """The saved index, updated to the catalogue.

    None if there is none, or, with a warning, if it is damaged or belongs to another history.
    """
    data, record = paths(catalogue.folder, model)
    try:
        saved = parse_json(read_bounded(record))
        if saved.pop("version") != VERSION:
            return None
        crc, state = saved.pop("crc"), State(**saved)
        if _crc(data, state) != crc:
            raise ValueError("its checksum is wrong")
        check_state(state, catalogue)
        index = VectorIndex(model, _read(data), state)
        if not index.belongs_to(catalogue):
            raise ValueError("it belongs to another gallery or to an earlier state of this one")
        check_index(index)
        index.refresh(catalogue)
    except FileNotFoundError:
        return None
    except Exception as error:  # a file may hold anything, and FAISS raises many classes
        log.warning("the index file %s cannot be used (%s); it is built again from the database", data.name, error)
        return None
    return index


def load_or_build(catalogue: Catalogue, model: ModelSet) -> VectorIndex:
    """For a reader: the index on disk, else a new one, which is saved for the next reader."""
    index = load(catalogue, model)
    if index is None:
        index = VectorIndex.build(catalogue, model)
        save(index, catalogue.folder)
    return index


def update_saved_index(catalogue: Catalogue, model: ModelSet, *, from_scratch: bool = False) -> None:
    """For a writer at its end: save the index if a reader would need long to update it.

    ``from_scratch``: build it again in any case.
    """
    index = None if from_scratch else load(catalogue, model)
    if index is None or index.outgrown():
        save(VectorIndex.build(catalogue, model), catalogue.folder)
    elif index.changed > SAVE_AT * len(index):
        save(index, catalogue.folder)


def save(index: VectorIndex, folder: Path) -> None:
    """Save atomically: the record, which has the checksum of the data, is removed first and replaced last.

    A failure is only a warning, because nothing is lost.
    """
    data, record = paths(folder, index.model)
    fresh = [path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.new") for path in (data, record)]
    try:
        with fresh[0].open("wb") as stream:  # FAISS itself opens only paths that are UTF-8
            faiss.write_index(index.faiss, faiss.PyCallbackIOWriter(stream.write))
        note = {"version": VERSION, "crc": _crc(fresh[0], index.state), **asdict(index.state)}
        fresh[1].write_text(json.dumps(note))
        for new in fresh:
            flush(new)
        record.unlink(missing_ok=True)  # after a kill between the two replacements there is no index, not a wrong one
        for new, path in zip(fresh, (data, record), strict=True):
            new.replace(path)
    except (OSError, RuntimeError) as error:  # FAISS raises RuntimeError if the disk is full or read-only
        if os.access(folder, os.W_OK):  # on read-only media a failure is expected
            log.warning("the index file %s could not be saved (%s); searches build it again", data.name, error)
    finally:
        for path in fresh:
            with suppress(OSError):  # if it cannot be removed either, the warning says enough
                path.unlink()


def paths(folder: Path, model: ModelSet) -> tuple[Path, Path]:
    """(index, record) of a model's vectors."""
    stem = f"index-{zlib.crc32(model.identity.encode()):08x}"
    return folder / f"{stem}.faiss", folder / f"{stem}.json"


def _read(data: Path) -> Any:
    with data.open("rb") as stream:
        return read_index(stream)


def _crc(data: Path, state: State) -> int:
    """Over both files."""
    crc = zlib.crc32(json.dumps(asdict(state)).encode())
    with data.open("rb") as stream:
        while chunk := stream.read(2**22):
            crc = zlib.crc32(chunk, crc)
    return crc
