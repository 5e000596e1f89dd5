"""A store: galleries in the memory of this process, at addresses such as ``toy://holiday``."""

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.filters import dates
from sketchseek.gallery.gallery import BATCH, Gallery
from sketchseek.gallery.hits import Hits
from sketchseek.gallery.ingest import Ingestion, checked_folders
from sketchseek.gallery.models import load_own, set_of
from sketchseek.gallery.paths import absolute, as_list, below
from sketchseek.gallery.query import encode, of_length_one
from sketchseek.gallery.ranking import hit_of, rank
from sketchseek.gallery.records import KnownFile, ModelSet, Photo, content_id
from sketchseek.gallery.relevance import Background
from sketchseek.gallery.stats import SetStats, Stats

GALLERIES = {}  # address -> Memory


def open_store(address, *, model, readonly, create, roots):
    return MemoryGallery(GALLERIES.setdefault(address, Memory(address)), model, readonly)


class Memory:
    """What is kept; see ``sketchseek.gallery.store_protocols.Store``. A content is a photo, whatever files it is in."""

    def __init__(self, address):
        self.folder = address
        self.sets, self.added = [], {}  # ModelSets; folder -> device
        self.files = {}  # path -> (size, mtime_ns, content, failure)
        self.contents = []  # (digest, width, height, taken)
        self.vectors = {}  # (model, content) -> float16 (size,)

    def models(self):
        return self.sets

    def current_model(self):
        return max(self.sets, key=lambda one: (one.used, one.row), default=None)

    def register(self, model, source):
        found = [one for one in self.sets if one.identity == model.identity]
        if not found:
            found = [ModelSet(len(self.sets) + 1, model.identity, model.name, source, model.size, used=0)]
            self.sets += found
        return found[0]

    def use_model(self, model):
        used = 1 + max(one.used for one in self.sets)
        self.sets = [replace(one, used=used) if one.row == model else one for one in self.sets]

    def folders(self):
        return self.added

    def add_folder(self, path, device):
        self.added[path] = device

    def known(self, folder, model):
        return {
            path: KnownFile(*file, (model, file[2]) in self.vectors)
            for path, file in self.files.items()
            if _inside(path, folder)
        }

    def content(self, digest, model):
        row = next((row for row, content in enumerate(self.contents) if content[0] == digest), None)
        return None if row is None else (row, (model, row) in self.vectors)

    def paths(self, content):
        return sorted(path for path, file in self.files.items() if file[2] == content)

    def missing(self, model):
        return sum((model, row) not in self.vectors for row in self.with_files())

    def with_files(self):
        return {file[2] for file in self.files.values()} - {None}

    def batch(self):
        return nullcontext()  # a real store writes what happens inside whole or not at all

    def add_content(self, digest, width, height, taken):
        found = self.content(digest, 0)
        if found is None:
            self.contents.append((digest, width, height, taken))
        return len(self.contents) - 1 if found is None else found[0]

    def add_vector(self, model, content, vector):
        self.vectors.setdefault((model, content), vector.astype(np.float16))

    def set_file(self, path, size, mtime_ns, content, failure):
        self.files[path] = (size, mtime_ns, content, failure)

    def set_devices(self, devices):
        pass  # what is in memory is gone with the process, so no drive is ever away

    def remove_files(self, paths):
        for path in paths:
            self.files.pop(path, None)

    def drop_orphans(self):
        kept = self.with_files()
        self.vectors = {key: vector for key, vector in self.vectors.items() if key[1] in kept}

    def photo(self, row):
        digest, width, height, taken = self.contents[row]
        return Photo(row, content_id(digest), width, height, taken, tuple(self.paths(row)))

    def row_of(self, id):
        return next((row for row in self.with_files() if content_id(self.contents[row][0]) == id), None)


class MemoryCandidates:
    """The photos that a query may find: all that pass its filters. See ``sketchseek.gallery.ranking.Candidates``."""

    def __init__(self, memory, model, options):
        self.filters = options.filters
        self.under = None if self.filters.under is None else absolute(self.filters.under)
        first, last = dates(self.filters.taken)
        if self.filters.camera is not None:
            raise GalleryError("a gallery in memory knows no cameras; omit the camera.")
        photos = (memory.photo(row) for set_row, row in memory.vectors if set_row == model and memory.paths(row))
        self.photos = {
            photo.row: photo
            for photo in photos
            if photo.id not in options.skip
            and any(self.filters.fits(path, self.under) for path in photo.paths)
            and (first is None or (photo.taken or "") >= first)
            and (last is None or "" < (photo.taken or "") < last)
        }
        self.vectors = [memory.vectors[model, row] for row in self.photos]
        self.all = [vector for (set_row, _), vector in memory.vectors.items() if set_row == model]

    def nearest(self, vector, count):
        return list(self.photos), np.array(self.vectors, np.float16).reshape(-1, len(vector)), False

    def lines(self, keys):
        return np.empty((len(keys), 0), np.uint8), np.zeros(len(keys), bool)

    def background(self):
        return Background(np.array(self.all, np.float64), len(self.all))

    def hit(self, key, score):
        return hit_of(self.photos[key], score, self.under, self.filters)


class MemoryGallery(Gallery):
    def __init__(self, memory, model, readonly):
        super().__init__(model, readonly)
        self.path, self.memory = memory.folder, memory

    def close(self):
        pass

    def add(self, folders=None, *, progress=None, retry=False, batch=BATCH, threads=None, memory=None):
        self._check_writable()
        folders = checked_folders(folders, self.memory)
        model_set = self.memory.register(self.model, self._model_source)
        options = {"batch": batch, "threads": threads or 1, "progress": progress, "memory": memory}
        run = Ingestion(self.memory, self.model, model_set, **options)
        return run.run(folders, retry=retry)

    def remove(self, paths):
        self._check_writable()
        there = [absolute(path) for path in as_list(paths)]
        gone = [path for path in self.memory.files if any(path == one or _inside(path, one) for one in there)]
        self.memory.remove_files(gone)
        self.memory.drop_orphans()
        return len(gone)

    def photo(self, id):
        row = self.memory.row_of(id)
        if row is None:
            raise self._unknown_photo(id)
        return hit_of(self.memory.photo(row), 1.0)

    def stats(self):
        memory, current = self.memory, self.memory.current_model()
        files, photos, failed = len(memory.files), len(memory.with_files()), len(self.failures())
        count = {one.row: sum(row == one.row for row, _ in memory.vectors) for one in memory.sets}
        sets = [SetStats(one.name, one.identity, one.size, count[one.row], one == current) for one in memory.sets]
        folders = [Path(os.fsdecode(path)) for path in memory.added]
        return Stats(self.path, photos, files, files - failed - photos, failed, folders, sets, generation=0, bytes=None)

    def failures(self):
        return [(Path(os.fsdecode(path)), file[3]) for path, file in self.memory.files.items() if file[3] is not None]

    def _own_model(self):
        return load_own(self.memory)

    def _set(self):
        return self.memory.current_model() if self._requested_model is None else set_of(self.memory, self.model)

    def _vector(self, id):
        vector = self.memory.vectors.get((self._set().row, self.memory.row_of(id)))
        if vector is None:
            raise self._unknown_photo(id)
        return of_length_one(vector)

    def _search(self, query, options):
        model_set = self._set()
        if model_set is None:
            return Hits()
        parts = encode(query, lambda: self.model, self._vector)
        candidates = MemoryCandidates(self.memory, model_set.row, options)
        return rank(candidates, parts, options)


def _inside(path, folder):
    return path.startswith(below(folder)[0])
