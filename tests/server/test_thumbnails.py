import os
import stat
from pathlib import Path

import pytest

from sketchseek.server.thumbnails import KEPT_SHARE, Thumbnails

IDS = [f"{number:016x}" for number in range(100)]


def test_what_was_put_is_got(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path / "deep" / "cache", 1000)
    assert cache.get(IDS[0], 320) is None
    cache.put(IDS[0], 320, b"one")
    assert cache.get(IDS[0], 320) == b"one"
    assert cache.get(IDS[0], 640) is None
    assert Thumbnails(tmp_path / "deep" / "cache", 1000).get(IDS[0], 320) == b"one"


def test_the_limit_holds_and_the_oldest_go(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, 1000)
    for age, id in enumerate(IDS):
        cache.put(id, 160, b"x" * 90)
        for path in tmp_path.rglob(f"{id}*"):
            os.utime(path, (age, age))
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 1000
    kept = [id for id in IDS if cache.get(id, 160)]
    assert kept == IDS[-len(kept) :]
    assert len(kept) >= KEPT_SHARE * 1000 / 90 - 1


def test_what_an_earlier_run_left_counts(tmp_path: Path) -> None:
    first = Thumbnails(tmp_path, 10_000)
    for id in IDS[:50]:
        first.put(id, 160, b"x" * 100)
    Thumbnails(tmp_path, 1000).put(IDS[50], 160, b"x" * 100)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 1000


def test_use_makes_young_again(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, 250)
    for id in IDS[:2]:
        cache.put(id, 160, b"x" * 100)
    for path in tmp_path.rglob("*.jpg"):
        os.utime(path, (1, 1))
    cache.get(IDS[0], 160)
    cache.put(IDS[2], 160, b"x" * 100)
    assert cache.get(IDS[0], 160)
    assert not cache.get(IDS[1], 160)


def test_nothing_half_written_is_ever_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Thumbnails(tmp_path, 1000)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "no space left")))
    cache.put(IDS[0], 160, b"x")
    assert cache.get(IDS[0], 160) is None


@pytest.mark.skipif(os.name != "posix", reason="permissions are others elsewhere")
def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "file"
    place.write_text("in the way")
    cache = Thumbnails(place / "cache", 1000)
    cache.put(IDS[0], 160, b"x")
    assert cache.get(IDS[0], 160) is None
    assert "cannot be written to" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="permissions are others elsewhere")
def test_others_on_the_machine_cannot_read_it(tmp_path: Path) -> None:
    cache = Thumbnails(tmp_path, 1000)
    cache.put(IDS[0], 160, b"x")
    (file,) = tmp_path.rglob("*.jpg")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
