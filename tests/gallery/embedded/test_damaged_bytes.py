"""Bytes changed anywhere in the database: never a wrong hit, a crash or a traceback; rebuild and index repair all."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from tests.gallery.embedded.damaged import DATABASE, Whole, check, make_whole
from tests.gallery.grid_model import GridModel

DAMAGES = 40  # of each kind
VERSION = range(60, 64)  # bytes of the header with the number of the format


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return make_whole(tmp_path_factory.mktemp("whole"))


def one_byte(data: bytearray, rng: random.Random) -> list[int]:
    """Of those in use, one bit."""
    place = rng.choice([place for place, byte in enumerate(data) if byte])
    data[place] ^= 1 << rng.randrange(8)
    return [place]


def several_bytes(data: bytearray, rng: random.Random) -> list[int]:
    places = rng.sample(range(len(data)), 8)
    for place in places:
        data[place] = rng.randrange(256)
    return places


def a_block(data: bytearray, rng: random.Random) -> list[int]:
    """A sector of an old disk."""
    place = rng.randrange(0, len(data), 512)
    data[place : place + 512] = rng.randbytes(512)
    return list(range(place, place + 512))


@pytest.mark.parametrize("seed", range(DAMAGES))
@pytest.mark.parametrize("damage", [one_byte, several_bytes, a_block])
def test_damage_is_a_sentence_or_does_no_harm(
    whole: Whole, tmp_path: Path, damage: Callable[[bytearray, random.Random], list[int]], seed: int
) -> None:
    folder = tmp_path / "gallery"
    shutil.copytree(whole.folder, folder)
    data = bytearray((folder / DATABASE).read_bytes())
    rng = random.Random(seed)
    places = damage(data, rng)
    (folder / DATABASE).write_bytes(data)
    try:
        Gallery.open(folder, GridModel()).close()
    except SketchseekError as error:
        assert set(places) & set(VERSION)
        assert "has format" in str(error)
        return
    check(whole, folder, rng)
