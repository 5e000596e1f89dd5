"""Thousands of requests made from the schema, good and bad, against a real server: python -m tests.server.fuzz [CASES]

Ends with exit code 1 if one of them finds a 5xx, or an answer that the schema does not know.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill
from tests.server.live import live
from tests.server.test_schema import HELD

CASES = 5000
OPERATIONS = 9


def main(cases: int) -> int:
    """The exit code of schemathesis."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder / "photos", 50)
        with Gallery.open(folder / "gallery", GridModel()) as gallery:
            gallery.add(folder / "photos")
        with live("--gallery", str(folder / "gallery"), "--model", "grid-plain") as server:
            call = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}openapi.json"]
            call += ["--checks", ",".join(HELD), "--phases", "examples,coverage,fuzzing", "--no-color"]
            call += ["--max-examples", str(cases // OPERATIONS + 1), "--continue-on-failure", "--seed", "1"]
            done = subprocess.run(call, check=False)
            assert server.process.poll() is None, "the server is gone"
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else CASES))
