"""The memory that a header is taken to need is what decoding takes at most; long, thin pictures end small."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketchseek.pictures import PictureError, Preprocessing, fit, load_photo
from sketchseek.pictures.errors import MemoryLimitError
from sketchseek.pictures.header import LEAST_AREA, LONGEST_SIDE, factors
from sketchseek.pictures.limits import MAX_SIDE
from tests.pictures.corpus import corpus, thin_png
from tests.pictures.test_photo import bombs

ROOT = Path(__file__).resolve().parents[2]
SIDE = 2500


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_no_kind_of_file_takes_more_than_its_header_says() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "picture_memory.py"), "--side", str(SIDE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.split("|")[1:4]] for line in done.stdout.splitlines() if line.count("|") == 5
    ]
    measured = {kind: (float(taken), float(estimated)) for kind, taken, estimated in rows[2:]}
    assert len(measured) == 20
    for kind, (taken, estimated) in measured.items():
        assert taken < estimated + 1, kind  # a byte a pixel is 6 MB: of the allocator


@pytest.mark.parametrize("shape", [(330, 60_000), (60_000, 330), (1, 1_000_000), (1_000_000, 1), (671, 20_000)])
def test_long_thin_pictures_end_small(shape: tuple[int, int]) -> None:
    photo = load_photo(thin_png(*shape, grey=True), target=224)
    assert photo.shape[0] * photo.shape[1] <= 1.01 * LEAST_AREA
    assert max(photo.shape) <= LONGEST_SIDE
    assert min(photo.shape[:2]) == min(shape) or min(photo.shape[:2]) >= 336
    for how in ("pad", "crop", "squash"):
        assert fit(photo, Preprocessing(fit=how)).shape == (224, 224, 3)


@pytest.mark.parametrize("how", ["pad", "crop", "squash"])
def test_an_array_of_any_shape_is_prepared(how: str) -> None:
    """Resizing this to 224 px at once would take tables of 1.2 GB."""
    for shape in ((40_000_000, 1), (1, 40_000_000)):
        line = np.broadcast_to(np.array([200, 100, 50], np.uint8), (*shape, 3))
        middle = fit(line, Preprocessing(fit=how))[111, 111]  # type: ignore[arg-type]
        assert np.abs(middle.astype(int) - [200, 100, 50]).max() <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit what is allocated")
def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """Where no decoder could allocate what the header claims, the message is still that of a limit."""
    for name, data in bombs().items():
        if not name.endswith((".svg", ".json")):
            (tmp_path / name).write_bytes(data)
    script = """if True:
        import sys
        from pathlib import Path
        from sketchseek.child_process import limit_memory
        from sketchseek.pictures import PictureError, load_photo
        limit_memory(500 * 2**20)
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try: load_photo(path)
            except PictureError as error: print(error.reason)
    """
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # others have stacks, which count
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, env=one_thread, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    reasons = done.stdout.splitlines()
    assert len(reasons) == len(list(tmp_path.iterdir()))
    assert all("over the limit" in reason or "larger than the picture" in reason for reason in reasons), reasons


def test_ordinary_shapes_are_reduced_alike_on_both_axes() -> None:
    for width, height in ((4000, 3000), (16_320, 12_240), (20_000, 4_000), (1080, 7_000)):
        assert factors((width, height), 224) == (min(width, height) // 336,) * 2


def test_a_side_has_a_limit() -> None:
    with pytest.raises(PictureError, match="a side is over the limit of 1,000,000; cut it into pieces"):
        load_photo(thin_png(1, MAX_SIDE + 1, grey=True))


def test_the_memory_that_is_allowed_is_a_limit() -> None:
    for name, data in corpus().items():
        with pytest.raises(MemoryLimitError, match="of memory to open, more than the 0 MB"):
            load_photo(data, name=name, target=16, max_memory=100)
        assert load_photo(data, name=name, target=16, max_memory=1_000_000).shape
