"""What must be left of galleries and photos when indexing, removing, copying or repairing was interrupted."""

import gzip
import hashlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from sketchseek.gallery import Gallery
from sketchseek.pictures import load_photo
from tests.campaign.campaigns import measure, memory_of
from tests.gallery.crash_child import Crash
from tests.gallery.embedded.test_crash import committed
from tests.gallery.embedded.test_kills import damage_tables
from tests.gallery.embedded.test_migration import FIXTURE, rows
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, png, put
from tests.gallery.test_ingest import contents

PHOTOS = 40


class Interrupt(Protocol):
    """Runs a task of ``crash_child`` that may not reach its end."""

    rng: random.Random

    def __call__(self, task: str, gallery: Path, photos: Path | str = "", *, writers: int = 1) -> None: ...


class Galleries:
    """``whole``: galleries to copy, by name; ``photos``: what they were indexed from, changed by no case."""

    def __init__(self, place: Path, crash: Crash) -> None:
        self.crash = crash
        self.photos = place / "photos"
        self.gallery = place / "work" / "gallery"
        self._reset_photos()
        self.whole = {name: place / name for name in ("filled", "damaged", "old", "empty")}
        with Gallery.open(self.whole["filled"], GridModel()) as gallery:
            gallery.add(self.photos)
        shutil.copytree(self.whole["filled"], self.whole["damaged"])
        damage_tables(self.whole["damaged"])
        self.whole["old"].mkdir()
        (self.whole["old"] / "gallery.sqlite").write_bytes(gzip.decompress(FIXTURE.read_bytes()))
        self.whole["empty"].mkdir()
        self.old_rows = rows(self._copy("old"))
        self.tasks: dict[str, Callable[[Interrupt], None]] = {
            "first index": self._first_index,
            "index again": self._index_again,
            "two writers": self._two_writers,
            "remove": self._remove,
            "rebuild": self._rebuild,
            "migrate": self._migrate,
            "another model": self._another_model,
            "lost index": self._lost_index,
            "copy": self._copy_to_another,
        }

    def run(self, task: str, interrupt: Interrupt) -> None:
        """Do a task that is interrupted, and check what is left."""
        self._reset_photos()
        self.tasks[task](interrupt)
        measure("peak memory of the indexing and searching process, MB", memory_of(), 600)

    def _copy(self, name: str) -> Path:
        shutil.rmtree(self.gallery.parent, ignore_errors=True)
        shutil.copytree(self.whole[name], self.gallery)
        return self.gallery

    def _reset_photos(self) -> None:
        shutil.rmtree(self.photos, ignore_errors=True)
        for number in range(PHOTOS):
            put(self.photos / f"{number % 3}" / f"{number:05}.png", png(number), mtime=number)
        put(self.photos / "broken.png", b"x", mtime=7)

    def _finish(self) -> None:
        """Index once more: the same as a gallery that was never killed."""
        before = _bytes_of(self.photos)
        with Gallery.open(self.gallery, GridModel()) as gallery:
            gallery.add(self.photos)
            assert not (problems := gallery.verify()), problems
            found, hits = contents(gallery), gallery.search(text="red", k=100)
        with Gallery.open(self.gallery.with_name("fresh"), GridModel()) as fresh:
            fresh.add(self.photos)
            plain = GridModel().identity
            assert [row for row in found if row[9] in (plain, None)] == contents(fresh)
            assert fresh.search(text="red", k=100) == hits
        assert _bytes_of(self.photos) == before, "a photo was changed"

    # What is interrupted.

    def _first_index(self, interrupt: Interrupt) -> None:
        self._copy("empty")
        for _ in range(2):
            interrupt("add", self.gallery, self.photos)
            self._check_vectors(committed(self.gallery))
        self._finish()

    def _index_again(self, interrupt: Interrupt) -> None:
        self._copy("filled")
        self._change_photos(interrupt.rng)
        before = self._of_unchanged_photos()
        interrupt("add", self.gallery, self.photos)
        assert before.items() <= committed(self.gallery).items()
        self._finish()

    def _two_writers(self, interrupt: Interrupt) -> None:
        self._copy("filled")
        self._change_photos(interrupt.rng)
        before = self._of_unchanged_photos()
        interrupt("add", self.gallery, self.photos, writers=2)
        assert before.items() <= committed(self.gallery).items()
        self._finish()

    def _remove(self, interrupt: Interrupt) -> None:
        before = committed(self._copy("filled"))
        folder = self.photos / "1"
        interrupt("remove", self.gallery, folder)
        after = committed(self.gallery)
        inside = {path for path in before if path.startswith(os.fsencode(folder) + b"/")}
        assert before.keys() - after.keys() in (set(), inside)
        assert after.items() <= before.items()
        self._finish()

    def _rebuild(self, interrupt: Interrupt) -> None:
        expected = rows(self._copy("filled"))
        self._copy("damaged")
        for _ in range(2):
            interrupt("rebuild", self.gallery)
        with Gallery.open(self.gallery, GridModel()) as gallery:
            gallery.rebuild()
            assert not (problems := gallery.verify()), problems
            assert len(gallery.search(text="red", k=50)) == PHOTOS
        assert rows(self.gallery) == expected

    def _migrate(self, interrupt: Interrupt) -> None:
        self._copy("old")
        interrupt("open", self.gallery)
        with Gallery.open(self.gallery, GridModel(), readonly=True) as gallery:
            assert not (problems := gallery.verify()), problems
            assert len(gallery.search(text="red", k=50)) == 11
        assert rows(self.gallery) == self.old_rows

    def _another_model(self, interrupt: Interrupt) -> None:
        """Its vectors are searched only when all of them are there; those of the first model stay."""
        before = rows(self._copy("filled"))["vectors"]
        interrupt("add with another model", self.gallery, self.photos)
        committed(self.gallery)
        assert [row for row in rows(self.gallery)["vectors"] if row[1] == 1] == before
        with Gallery.open(self.gallery, GridModel(), readonly=True) as gallery:
            assert len(gallery.search(text="red", k=50)) == PHOTOS
        self._finish()

    def _lost_index(self, interrupt: Interrupt) -> None:
        expected = rows(self._copy("filled"))
        for path in self.gallery.glob("index-*"):
            path.unlink()
        interrupt("search", self.gallery)
        assert rows(self.gallery) == expected
        self._finish()

    def _copy_to_another(self, interrupt: Interrupt) -> None:
        before = rows(self._copy("filled"))
        copied = Path(f"{self.gallery}-copy")
        interrupt("copy", self.gallery)
        assert rows(self.gallery) == before
        committed(copied)
        self.crash("copy", self.gallery)
        assert rows(copied)["files"] == before["files"]
        assert rows(copied)["vectors"] == before["vectors"]
        with Gallery.open(copied, GridModel()) as gallery:
            assert not (problems := gallery.verify()), problems

    # What must be there.

    def _change_photos(self, rng: random.Random) -> None:
        """Moves, replacements, new and removed files."""
        for count, path in enumerate(rng.sample(sorted(self.photos.rglob("0*.png")), 12)):
            seed = rng.randrange(10**6)
            if count % 4 == 0:
                path.rename(path.with_name(f"moved-{seed}.png"))
            elif count % 4 == 1:
                put(path, png(seed), mtime=seed)
            elif count % 4 == 2:
                fill(path.parent, 1, first=seed)
            else:
                path.unlink()

    def _here(self) -> dict[bytes, Path]:
        return {hashlib.blake2b(path.read_bytes(), digest_size=32).digest(): path for path in self._files()}

    def _files(self) -> list[Path]:
        return [path for path in self.photos.rglob("*") if path.is_file()]

    def _of_unchanged_photos(self) -> dict[bytes, tuple[bytes, bytes]]:
        """The committed rows of files that are still where and what they were."""
        here = self._here()
        return {
            path: row for path, row in committed(self.gallery).items() if here.get(row[0]) == Path(os.fsdecode(path))
        }

    def _check_vectors(self, found: dict[bytes, tuple[bytes, bytes]]) -> None:
        model, here = GridModel(), self._here()
        for digest, vector in found.values():
            if vector:
                expected = model.encode_photos([load_photo(here[digest].read_bytes(), target=16)])[0]
                assert np.frombuffer(vector, "<f2").tolist() == expected.astype("<f2").tolist()


def _bytes_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
