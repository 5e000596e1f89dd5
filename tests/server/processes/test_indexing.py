import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery
from sketchseek.server.api.responses import IndexingStatus
from sketchseek.server.processes.indexing import Indexing
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, put

SERVE_GRID = Path(__file__).parent.parent / "serve_grid.py"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def indexing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexing]:
    """With the small test model, a grid-slow one that takes its time."""
    monkeypatch.setattr(
        "sketchseek.server.processes.indexing.COMMAND", (sys.executable, str(SERVE_GRID), "index-child")
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    indexing = Indexing()
    yield indexing
    indexing.stop()


def until(indexing: Indexing, arrived: Callable[[IndexingStatus], bool]) -> IndexingStatus:
    for _ in range(1200):
        if arrived(indexing.status):
            return indexing.status
        time.sleep(0.05)
    raise AssertionError(f"stayed at {indexing.status}")


def test_a_run_reports_its_progress_and_its_photos_are_found(indexing: Indexing, tmp_path: Path) -> None:
    fill(tmp_path / "photos", 40)
    put(tmp_path / "photos" / "broken.jpg", b"x")
    before = indexing.status
    assert before.state == "idle"
    indexing.start(tmp_path / "gallery", [tmp_path / "photos"], "grid-plain")
    assert indexing.status.state == "looking"
    assert indexing.status.total is None
    now = until(indexing, lambda now: now.state not in ("looking", "indexing"))
    assert (now.state, now.done, now.total, now.failed, now.error) == ("done", 41, 41, 1, None)
    assert now.photos_per_s
    assert now.seconds > 0
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        assert gallery.stats().photos == 40


def test_an_error_is_a_sentence(indexing: Indexing, tmp_path: Path) -> None:
    indexing.start(tmp_path / "gallery", [tmp_path / "nowhere"], "grid-plain")
    now = until(indexing, lambda now: now.state == "failed")
    assert now.error
    assert "nowhere cannot be listed" in now.error


def test_a_run_may_be_stopped_and_the_next_goes_on(indexing: Indexing, tmp_path: Path) -> None:
    fill(tmp_path / "photos", 200)
    indexing.start(tmp_path / "gallery", [tmp_path / "photos"], "grid-slow")
    process = indexing._process
    assert process
    until(indexing, lambda now: now.done >= 32)
    indexing.stop()
    assert process.poll() is not None
    assert indexing.status.state == "stopped"
    time.sleep(0.2)
    assert indexing.status.state == "stopped"  # the last message changes nothing
    with Gallery.open(tmp_path / "gallery", GridModel("slow")) as gallery:
        kept = gallery.stats().photos
        assert 32 <= kept < 200
        assert not gallery.verify()
        assert gallery.add(tmp_path / "photos").added == 200 - kept


def test_a_stopped_run_is_resumed_at_once(indexing: Indexing, tmp_path: Path) -> None:
    """The end of the process that was stopped does not count as the end of the next one."""
    assert not indexing.resume()
    fill(tmp_path / "photos", 200)
    indexing.start(tmp_path / "gallery", [tmp_path / "photos"], "grid-slow")
    until(indexing, lambda now: now.done >= 32)
    indexing.stop()
    assert indexing.resume()
    now = until(indexing, lambda now: now.state not in ("looking", "indexing"))
    assert now.state == "done" and 0 < now.done < 200
    for _ in range(3):  # nor does that of a run that has just finished
        assert indexing.start(tmp_path / "gallery", [], "grid-slow")
        now = until(indexing, lambda now: now.state not in ("looking", "indexing"))
        assert now.state == "done" and now.total == 0


def test_a_process_that_cannot_be_killed_is_left(indexing: Indexing, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a drive ends only when the drive answers."""
    monkeypatch.setattr("sketchseek.server.processes.indexing.STOP_TIMEOUT_S", 0.2)
    monkeypatch.setattr("sketchseek.server.processes.indexing.KILL_TIMEOUT_S", 0.2)
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    indexing._process = process
    monkeypatch.setattr(process, "kill", lambda: None)
    try:
        clicks = [threading.Thread(target=indexing.stop) for _ in range(2)]
        for click in clicks:
            click.start()
        for click in clicks:
            click.join(30)
            assert not click.is_alive()
        assert process.poll() is None
    finally:
        monkeypatch.undo()
        process.kill()
        process.communicate()


def test_a_process_that_dies_is_reported(indexing: Indexing, tmp_path: Path) -> None:
    fill(tmp_path / "photos", 200)
    indexing.start(tmp_path / "gallery", [tmp_path / "photos"], "grid-slow")
    until(indexing, lambda now: now.done >= 32)
    assert indexing._process
    indexing._process.kill()
    now = until(indexing, lambda now: now.state == "failed")
    assert now.error
    assert "ended unexpectedly" in now.error


def test_it_ends_with_the_process_that_started_it(indexing: Indexing, tmp_path: Path) -> None:
    fill(tmp_path / "photos", 200)
    indexing.start(tmp_path / "gallery", [tmp_path / "photos"], "grid-slow")
    until(indexing, lambda now: now.done >= 32)
    process = indexing._process
    assert process
    assert process.stdin
    process.stdin.close()  # as when its parent is killed
    assert process.wait(10) == 1
