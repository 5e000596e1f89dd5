"""Everything that can happen to a folder, in any order, against an indexer that is right but slow."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import png
from tests.gallery.test_ingest import counts

NAMES = st.sampled_from(
    ["a.png", "b.png", "c.png", "sub/a.png", "sub/d.png", "sub/deep/e.png", "line\nend.png", ".hid.png"]
)
SEEDS = st.integers(0, 5)


class Folder(RuleBasedStateMachine):
    """``seen``: what the folder held at the last run, path -> content."""

    @initialize(batch=st.integers(1, 5))
    def start(self, batch: int) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.photos = self.root / "photos"
        self.photos.mkdir()
        self.model = GridModel()
        self.gallery = Gallery.open(self.root / "gallery", self.model)
        self.batch = batch
        self.clock = 1000
        self.seen: dict[Path, bytes] = {}

    def teardown(self) -> None:
        self.gallery.close()
        shutil.rmtree(self.root)

    def write(self, name: str, data: bytes) -> None:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.clock += 1
        os.utime(path, (self.clock, self.clock))

    @rule(name=NAMES, seed=SEEDS)
    def create_replace_or_copy(self, name: str, seed: int) -> None:
        self.write(name, png(seed))

    @rule(name=NAMES, seed=SEEDS)
    def break_file(self, name: str, seed: int) -> None:
        self.write(name, png(seed)[:30])

    @rule(name=NAMES)
    def touch(self, name: str) -> None:
        if (self.photos / name).exists():
            self.write(name, (self.photos / name).read_bytes())

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.photos / name).unlink(missing_ok=True)

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if (self.photos / old).exists():
            (self.photos / new).parent.mkdir(parents=True, exist_ok=True)
            (self.photos / old).rename(self.photos / new)

    @rule()
    def rename_a_folder(self) -> None:
        if (self.photos / "sub").exists() and not (self.photos / "bus").exists():
            (self.photos / "sub").rename(self.photos / "bus")

    @rule()
    def reopen(self) -> None:
        self.gallery.close()
        self.gallery = Gallery.open(self.root / "gallery", self.model)

    @rule()
    def index(self) -> None:
        now = {
            path: path.read_bytes()
            for path in self.photos.rglob("*")
            if path.suffix == ".png" and not path.name.startswith(".")
        }
        whole = {png(seed) for seed in range(6)}
        known = {data for data in self.seen.values() if data in whole}
        before = self.model.encoded
        report = self.gallery.add(self.photos, batch=self.batch, threads=2)
        new, gone = now.keys() - self.seen.keys(), self.seen.keys() - now.keys()
        moves = Counter(now[path] for path in new if now[path] in whole) & Counter(self.seen[path] for path in gone)
        same = {path for path in now.keys() & self.seen.keys() if now[path] == self.seen[path]}
        expected = {
            "moved": moves.total(),
            "added": len([path for path in new if now[path] in whole]) - moves.total(),
            "updated": len([path for path in now.keys() & self.seen.keys() if now[path] in whole])
            - len([path for path in same if now[path] in whole]),
            "removed": len(gone) - moves.total(),
            "unchanged": len([path for path in same if now[path] in whole]),
            "failed": len([path for path in now if now[path] not in whole]),
        }
        assert counts(report) == {key: value for key, value in expected.items() if value}
        assert self.model.encoded - before == len({data for data in now.values() if data in whole} - known)
        self.seen = now

    @invariant()
    def the_gallery_is_what_was_seen(self) -> None:
        places: dict[bytes, list[Path]] = {}
        for path, data in sorted(self.seen.items(), key=lambda item: os.fsencode(item[0])):
            places.setdefault(data, []).append(path)
        expected = {
            (paths[0], tuple(paths[1:])) for data, paths in places.items() if data in {png(seed) for seed in range(6)}
        }
        hits = self.gallery.search(text="red", k=50)
        assert {(hit.path, hit.duplicates) for hit in hits} == expected
        query = self.model.encode_texts(["red"])[0]
        for hit in hits:
            pixels = _pixels(self.seen[hit.path])
            assert abs(hit.score - float(query @ self.model._vector(pixels))) < 2e-3  # half floats
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert self.gallery.verify() == []


def _pixels(data: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    from sketchseek.pictures import load_photo

    return load_photo(data)


TestFolder = Folder.TestCase
TestFolder.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
