"""How much memory a conversion needs, beside the size of the weights on disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub import published

MOST = 2.5  # times the weights on disk, Python and onnxruntime included
PROGRAM = """
import sys, time
from pathlib import Path
from sketchseek.engine.convert import convert
started = time.monotonic()
convert(Path(sys.argv[1]), Path(sys.argv[2]), name="x", about="", licence="", precision=sys.argv[3])
seconds = time.monotonic() - started
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024, seconds)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As SigLIP 2: half of it is the table of words. 185 MB, so that Python's own 50 MB do not decide."""
    folder = tmp_path_factory.mktemp("medium")
    published.siglip2(folder, width=512, depth=10, words=50_000)
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure a peak of memory")
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_peak_is_a_small_multiple_of_the_weights(weights: Path, tmp_path: Path, precision: str) -> None:
    size = (weights / "model.safetensors").stat().st_size
    assert size > 150e6
    command = [sys.executable, "-c", PROGRAM, str(weights), str(tmp_path / "out"), precision]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    peak, seconds = map(float, done.stdout.split())
    print(f"{precision}: {size / 1e6:.0f} MB of weights, peak {peak / size:.2f} times that, {seconds:.1f} s")
    assert size / 2 < peak <= MOST * size, f"{peak / size:.2f} times {size / 1e6:.0f} MB"
