"""A local Ray cluster of two workers, real processes, one of them killed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.milvus.ray_ingest import plan_workers
from tests.gallery.grid_model import GridModel
from tests.gallery.milvus_server import ROOT
from tests.gallery.photos import fill, png, put

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]
# A busy machine is no failure.
PATIENT = {"RAY_raylet_start_wait_time_s": "300", "RAY_agent_register_timeout_ms": "300000"}


def start(*arguments: str, roots: str = "") -> "subprocess.Popen[str]":
    """``roots``: those of the workers."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'sketchseek[ray]'")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.gallery.milvus.ray_child", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "SKETCHSEEK_ROOTS": roots, **PATIENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-3000:]
    assert "INFO" not in err and "WARNING" not in err, "a user is told of Ray's inner life"
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def encoding_processes(parent: int) -> Iterator[int]:
    """Ray's actors among the descendants of a process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    waiting = [parent]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            name = (Path("/proc") / str(process) / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"MapWorker" in name:
            yield process


def rows(url: str, photos: Path) -> list[Any]:
    """All that a gallery knows, file by file."""
    with Gallery.open(url, GridModel(), readonly=True, roots={"photos": photos}) as gallery:
        model = gallery.current_model()
        assert model is not None
        found = [entry for page in gallery.entries(model) for entry in page]
        assert gallery.verify() == []
    return sorted(
        (
            entry.path,
            entry.size,
            entry.mtime_ns,
            entry.failure,
            (entry.facts.digest, entry.facts.width, entry.facts.taken, entry.facts.vector.tobytes())
            if entry.facts
            else None,
        )
        for entry in found
    )


def test_a_killed_worker_changes_nothing(url: str, photos: Path) -> None:
    fill(photos, 600)
    put(photos / "copy.png", png(7))
    put(photos / "broken.png", b"x")
    process = start(url, str(photos), "2", "0.06")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("done ") and not line.startswith("done 0 "):
            break
    else:
        pytest.fail(process.communicate()[1][-3000:])
    workers = list(encoding_processes(process.pid))
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    said = report(process)
    assert said == {
        "added": 601,
        "moved": 0,
        "removed": 0,
        "updated": 0,
        "unchanged": 0,
        "failed": ["broken.png"],
    }
    with Gallery.open(f"{url}_plain", GridModel(), roots={"photos": photos}) as plain:
        try:
            plain.add(photos)
            assert rows(url, photos) == rows(f"{url}_plain", photos)
        finally:
            from tests.gallery.contract.conftest import drop

            drop(f"{url}_plain")


def test_a_second_run_does_what_is_left(url: str, photos: Path) -> None:
    paths = fill(photos, 40)
    with Gallery.open(url, GridModel(), roots={"photos": photos}) as plain:
        plain.add(photos)
    paths[0].rename(photos / "moved.png")
    paths[1].unlink()
    put(paths[2], png(100), mtime=5)
    put(paths[3], b"broken now", mtime=5)
    fill(photos / "new", 3, first=200)
    assert report(start(url, str(photos), "1", "0")) == {
        "added": 3,
        "moved": 1,
        "removed": 1,
        "updated": 1,
        "unchanged": 36,
        "failed": ["00003.png"],
    }
    with Gallery.open(url, GridModel(), readonly=True, roots={"photos": photos}) as gallery:
        found = {hit.path for hit in gallery.search(text="red", k=100)}
        assert found == {*photos.rglob("*.png")} - {paths[3]}
        assert gallery.verify() == []


def test_a_worker_whose_disk_is_full_is_one_sentence(url: str, photos: Path) -> None:
    fill(photos, 3)
    process = start(url, str(photos), "1", "full")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("sketchseek: a disk of a Ray worker is full (")
    assert "what was written is kept" in err.splitlines()[-1]
    with Gallery.open(url, GridModel(), roots={"photos": photos}) as gallery:
        assert gallery.search(text="red") == []
        assert gallery.add(photos).added == 3


def test_what_a_cluster_cannot_do_is_one_sentence(url: str, photos: Path) -> None:
    fill(photos, 3)
    process = start(url, str(photos), "1", "0", "127.0.0.1:1")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("sketchseek: there is no Ray cluster at 127.0.0.1:1 (")


def test_a_worker_without_the_photos_is_one_sentence(url: str, photos: Path, tmp_path: Path) -> None:
    fill(photos, 3)
    process = start(url, str(photos), "1", "0", roots=f"photos={tmp_path / 'not mounted'}")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert re.fullmatch(
        r"sketchseek: the worker \S+ does not have the folder of the root photos; mount it there, or name its folder "
        r"in that machine's \$SKETCHSEEK_ROOTS\.",
        err.splitlines()[-1],
    )


def test_roots_that_only_a_worker_has_change_no_key(url: str, photos: Path) -> None:
    fill(photos / "inner", 3)
    said = report(start(url, str(photos), "1", "0", roots=f"other={photos / 'inner'}:unused={photos / 'nowhere'}"))
    assert said["added"] == 3
    with Gallery.open(url, GridModel(), roots={"photos": photos}) as gallery:
        assert gallery.add(photos).unchanged == 3
        assert gallery.stats().files == 3


@pytest.mark.parametrize(
    ("machines", "workers", "expected"),
    [
        ([{"CPU": 8.0}], None, (2, 4, False)),
        ([{"CPU": 1.0}, {"CPU": 1.0}], None, (1, 2, False)),
        ([{"CPU": 1.0}, {"CPU": 5.0}], None, (2, 2, False)),
        ([{"CPU": 8.0}], 3, (1, 3, False)),
        ([{"CPU": 1.0, "GPU": 2.0}, {"CPU": 64.0}], None, (1, 2, True)),
        ([{"CPU": 4.0, "GPU": 2.0}], None, (2, 2, True)),
    ],
)
def test_no_worker_asks_for_more_than_a_machine_has(
    machines: list[dict[str, float]], workers: int | None, expected: tuple[int, int, bool]
) -> None:
    assert plan_workers(machines, workers) == expected


def test_a_cluster_without_cores_is_one_sentence() -> None:
    with pytest.raises(GalleryError, match="no machine of the Ray cluster offers a core"):
        plan_workers([{"memory": 1e9}], None)
    with pytest.raises(GalleryError, match="that has a GPU offers a core"):
        plan_workers([{"GPU": 1.0}, {"CPU": 8.0}], 1)
