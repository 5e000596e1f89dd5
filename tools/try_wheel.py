"""Install a wheel with pip into an empty environment, index and search with it: python tools/try_wheel.py WHEEL."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: object, folder: Path) -> str:
    """What a command prints; its home and its gallery are in ``folder``. If it fails, so does this program."""
    own = {"HOME": str(folder), "USERPROFILE": str(folder), "SKETCHSEEK_GALLERY": str(folder / "gallery")}
    done = subprocess.run(  # noqa: S603
        [str(word) for word in command], cwd=folder, env={**os.environ, **own}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def try_wheel(wheel: Path, folder: Path) -> str:
    """Install and use the wheel in ``folder``; returns a sentence about what worked."""
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python, sketchseek = programs / "python", programs / "sketchseek"
    pins = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", pins, wheel.resolve(), folder=folder)
    found = json.loads(run(sketchseek, "doctor", "--json", folder=folder))
    where = run(python, "-c", "import sketchseek; print(sketchseek.__file__)", folder=folder).strip()
    if not Path(where).is_relative_to((folder / "env").resolve()):
        sys.exit(f"sketchseek was imported from {where}, not from the wheel")
    photos = folder / "photos"
    photos.mkdir()
    make = "from PIL import Image; [Image.new('RGB', (300, 200), c).save(f'{c}.png') for c in ('red', 'blue', 'green')]"
    run(python, "-c", f"import os; os.chdir({str(photos)!r}); {make}", folder=folder)
    run(sketchseek, "index", photos, folder=folder)
    hits = json.loads(run(sketchseek, "search", ROOT / "examples" / "cat.svg", "--json", folder=folder))
    if len(hits) != 3:
        sys.exit(f"{len(hits)} photos were found instead of 3")
    return f"sketchseek {found['sketchseek']} from {wheel.name}: installed, 3 photos indexed and found by a drawing"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(try_wheel(Path(sys.argv[1]), Path(folder).resolve()))
