"""How much memory a conversion needs, beside the size of the weights on disk."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.hub import published

MOST = 2.5  # times the weights on disk, Python and onnxruntime included
PROGRAM = """
import sys
from pathlib import Path
from sketchseek.engine.convert import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]), name="x", about="", licence="", precision=sys.argv[3])
"""
# 170 MB or more, so that Python's own 50 MB do not decide. Half of SigLIP 2 is the table of words, as in the real one.
MAKERS: dict[str, Callable[[Path], None]] = {
    "clip": partial(published.clip, width=512, depth=10),
    "open_clip": partial(published.open_clip, width=512, depth=10),
    "siglip2": partial(published.siglip2, width=512, depth=10, words=50_000),
    "immich": partial(published.immich, hidden=(2048,) * 7, words=1_100_000),
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux to measure a peak of memory")
@pytest.mark.parametrize(
    ("family", "precision"),
    [("siglip2", "fp16"), *((family, "int8") for family in MAKERS)],  # 8 bits need more, to compare them with 32
)
def test_the_peak_is_a_small_multiple_of_the_weights(family: str, precision: str, tmp_path: Path) -> None:
    weights = tmp_path / family
    weights.mkdir()
    MAKERS[family](weights)
    size = sum(path.stat().st_size for kind in ("*.safetensors", "*.onnx") for path in weights.rglob(kind))
    assert size > 150e6
    command = [sys.executable, "-c", PROGRAM, str(weights), str(tmp_path / "out"), precision]
    started, peak = time.monotonic(), 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.02)
    seconds = time.monotonic() - started
    print(f"{family}, {precision}: {size / 1e6:.0f} MB of weights, peak {peak / size:.2f} times that, {seconds:.1f} s")
    assert process.returncode == 0
    assert size / 2 < peak <= MOST * size, f"{peak / size:.2f} times {size / 1e6:.0f} MB"


def memory(process: int) -> int:
    """Bytes of a process and those it started, in which the graphs of others run; what they share counts once."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        children = [int(one) for task in Path(f"/proc/{process}/task").iterdir() for one in numbers(task / "children")]
    except (OSError, ValueError):  # it has ended
        return 0
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024 + sum(map(memory, children))


def numbers(file: Path) -> list[str]:
    return file.read_text().split()
