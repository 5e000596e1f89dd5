"""The index on disk: ``index-....faiss`` and beside it ``.json``, which says what the first must be and what it shows.

Both are derived: damaged, deleted, outdated or restored from some other day, they are made again from the database.
"""

import json
import logging
import os
import zlib
from dataclasses import asdict
from pathlib import Path

from sketchseek.gallery.embedded.catalogue import Catalogue
from sketchseek.gallery.embedded.index import State, VectorIndex, faiss
from sketchseek.gallery.records import ModelSet

log = logging.getLogger(__name__)

VERSION = 1
SAVE_AT = 0.05  # an index is saved when this share of it has changed: following the rest from the database is quick


def load(catalogue: Catalogue, model: ModelSet) -> VectorIndex | None:
    """The saved index, brought up to date.

    None if there is none, or, with a note, if it is damaged or of another past.
    """
    data, record = paths(catalogue.folder, model)
    try:
        saved = json.loads(record.read_bytes())
        if saved.pop("version") != VERSION:
            return None
        crc, state = saved.pop("crc"), State(**saved)
        if _crc(data, state) != crc:
            raise ValueError("its checksum is wrong")
        index = VectorIndex(model, faiss.read_index(str(data)), state)
        if not index.belongs_to(catalogue):
            raise ValueError("it belongs to another gallery or to a past that was undone")
        if index.faiss.d != model.size:
            raise ValueError("its vectors have another size")
        index.refresh(catalogue)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        log.warning("the index file %s is of no use (%s): it is made again from the database", data.name, error)
        return None
    return index


def load_or_build(catalogue: Catalogue, model: ModelSet) -> VectorIndex:
    """For a reader: whatever is on disk, else a new one, saved for the next reader."""
    index = load(catalogue, model)
    if index is None:
        index = VectorIndex.build(catalogue, model)
        save(index, catalogue.folder)
    return index


def keep(catalogue: Catalogue, model: ModelSet, *, anew: bool = False) -> None:
    """For a writer that is done: leave files that are cheap to bring up to date."""
    index = None if anew else load(catalogue, model)
    if index is None or index.outgrown():
        save(VectorIndex.build(catalogue, model), catalogue.folder)
    elif index.changed > SAVE_AT * len(index):
        save(index, catalogue.folder)


def save(index: VectorIndex, folder: Path) -> None:
    """Atomic: the record is replaced last and names the very bytes of the data.

    A failure is a note: nothing is lost.
    """
    data, record = paths(folder, index.model)
    fresh = [path.with_name(f"{path.name}.{os.getpid()}.new") for path in (data, record)]
    try:
        faiss.write_index(index.faiss, str(fresh[0]))
        note = {"version": VERSION, "crc": _crc(fresh[0], index.state), **asdict(index.state)}
        fresh[1].write_text(json.dumps(note))
        for new, path in zip(fresh, (data, record), strict=True):
            _flush(new)
            new.replace(path)
    except (
        OSError,
        RuntimeError,
    ) as error:  # RuntimeError is how FAISS says that the disk is full or cannot be written
        if os.access(folder, os.W_OK):  # on read-only media this is how it is, and no news
            log.warning("the index file %s could not be saved (%s); searches make it again", data.name, error)
    finally:
        for path in fresh:
            if os.access(folder, os.W_OK):
                path.unlink(missing_ok=True)


def paths(folder: Path, model: ModelSet) -> tuple[Path, Path]:
    """(index, record) of a model's vectors."""
    stem = f"index-{zlib.crc32(model.identity.encode()):08x}"
    return folder / f"{stem}.faiss", folder / f"{stem}.json"


def _crc(data: Path, state: State) -> int:
    """Over both files."""
    crc = zlib.crc32(json.dumps(asdict(state)).encode())
    with data.open("rb") as stream:
        while chunk := stream.read(2**22):
            crc = zlib.crc32(chunk, crc)
    return crc


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
