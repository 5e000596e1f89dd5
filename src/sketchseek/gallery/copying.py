"""Copy a gallery from one store into another, with its vectors as they are. Nothing is encoded again.

If a run is stopped, the next run continues and skips what was copied already. At the end the files are counted and a
sample of vectors is compared, bit by bit.
"""

import logging
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.gallery import Gallery
from sketchseek.gallery.paths import below
from sketchseek.gallery.records import Entry, KnownFile
from sketchseek.gallery.store_protocols import Store, keeps_facts, keeps_lines
from sketchseek.wording import counted, shown

log = logging.getLogger(__name__)

SAMPLE = 1000  # vectors compared at the end
SEED = 7


@dataclass(slots=True)
class Copied:
    """``files`` were read; each was ``copied`` now or was ``there`` already. ``compared`` vectors are equal in both."""

    files: int = 0
    copied: int = 0
    there: int = 0
    compared: int = 0


def copy(source: Gallery, target: Gallery, progress: Callable[[Copied], None] | None = None) -> Copied:
    """Copy the current vectors, files and collections of ``source`` into ``target``, which may hold others."""
    model = source.current_model()
    if model is None:
        raise GalleryError(f"the gallery {shown(source.path)} holds no vectors to copy; index into it first.")
    done = Copied()
    sample: dict[str, NDArray[np.float16]] = {}
    draw = random.Random(SEED)  # noqa: S311 - which vectors to look at does not have to be secret
    with target.receive_copy(model) as (store, row):
        folders = source.indexed_folders()
        known: dict[bytes, KnownFile] = {}
        without_lines = store.without_lines(row) if keeps_lines(store) else set()
        without_facts = store.without_facts() if keeps_facts(store) else set()
        for folder in folders:
            _check(folder, target)
            known |= store.known(folder, row)
        if new := {folder: device for folder, device in folders.items() if folder not in store.folders()}:
            with store.batch():
                for folder, device in new.items():
                    store.add_folder(folder, device)
        for page in source.entries(model):
            fresh = [entry for entry in page if not _same(known.get(entry.path), entry, without_lines, without_facts)]
            for entry in fresh:
                _check(entry.path, target)
            if fresh:
                _write(store, row, fresh)
            for entry in page:
                done.files += 1
                _remember(sample, entry, done.files, draw)
            done.copied += len(fresh)
            done.there += len(page) - len(fresh)
            if progress:
                progress(done)
    _verify(source, target, sample, done)
    if source.keeps_collections:
        _copy_collections(source, target)
    return done


def _copy_collections(source: Gallery, target: Gallery) -> None:
    """Photos are added to collections of the same name; saved searches of the same name are replaced."""
    collections, searches = source.collections.all(), source.collections.searches()
    if not target.keeps_collections:
        if collections or searches:
            log.warning(
                "%s and %s stay in %s alone: the store of %s keeps none",
                counted(len(collections), "collection"),
                counted(len(searches), "saved search", "saved searches"),
                shown(source.path),
                shown(target.path),
            )
        return
    for collection in collections:
        target.collections.add(collection.name, [hit.id for hit in source.collections.photos(collection.name)])
    for search in searches:
        target.collections.save_search(search.name, search.query)


def _write(store: Store, row: int, entries: Sequence[Entry]) -> None:
    with store.batch():
        for entry in entries:
            content = None
            if (facts := entry.facts) is not None:
                content = store.add_content(facts.digest, facts.width, facts.height, facts.taken)
                vector = facts.vector.astype(np.float32)
                if facts.lines is not None and keeps_lines(store):
                    store.add_vector(row, content, vector, facts.lines)
                else:
                    store.add_vector(row, content, vector)
                if facts.colours is not None and keeps_facts(store):
                    store.add_facts(content, facts.camera, facts.colours)
            store.set_file(entry.path, entry.size, entry.mtime_ns, content, entry.failure)
        store.set_devices({entry.path: entry.device for entry in entries if entry.device is not None})


def _same(known: KnownFile | None, entry: Entry, without_lines: set[int], without_facts: set[int]) -> bool:
    """Whether the target has this very file already, with the outlines and colours that the source has."""
    has_lines = entry.facts is not None and entry.facts.lines is not None
    has_colours = entry.facts is not None and entry.facts.colours is not None
    return (
        known is not None
        and not (has_lines and known.content in without_lines)
        and not (has_colours and known.content in without_facts)
        and (known.size, known.mtime_ns, known.failure) == (entry.size, entry.mtime_ns, entry.failure)
        and bool(known.encoded) == (entry.facts is not None)
    )


def _check(path: bytes, target: Gallery) -> None:
    if not os.path.isabs(path) and not target.uses_roots:  # noqa: PTH117 - bytes
        root = path.partition(b"/")[0]
        raise GalleryError(
            f"a gallery in a folder keeps absolute paths, and this machine has no folder for the root "
            f"{shown(root)}; name it with --root {shown(root)}=FOLDER."
        )


def _remember(sample: dict[str, NDArray[np.float16]], entry: Entry, seen: int, draw: random.Random) -> None:
    """Keep a uniform sample of all entries seen so far."""
    if entry.facts is None:
        return
    if len(sample) >= SAMPLE:
        if draw.random() >= SAMPLE / seen:
            return
        sample.pop(draw.choice(list(sample)))
    sample[entry.facts.digest[:8].hex()] = entry.facts.vector


def _verify(source: Gallery, target: Gallery, sample: dict[str, NDArray[np.float16]], done: Copied) -> None:
    folders = source.indexed_folders()
    outer = [one for one in folders if not any(one != other and one.startswith(below(other)[0]) for other in folders)]
    arrived = sum(target.count_under(folder) for folder in outer)
    if arrived < done.files:
        raise GalleryError(
            f"only {arrived:,} of {done.files:,} files of {shown(source.path)} are in {shown(target.path)}; did "
            "something else write there? Run the command again."
        )
    kept = target.vectors_of(list(sample))
    wrong = sum(id not in kept or kept[id].tobytes() != vector.tobytes() for id, vector in sample.items())
    if wrong:
        raise GalleryError(
            f"{wrong} of {len(sample)} vectors compared differ between {shown(source.path)} and {shown(target.path)}; "
            "was one of them indexed on another machine before? Copy into an empty gallery."
        )
    done.compared = len(sample)
