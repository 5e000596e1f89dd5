"""Put photos of a gallery into another folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sketchseek.cli.output import print_message
from sketchseek.errors import SketchseekError
from sketchseek.wording import counted, shown

if TYPE_CHECKING:
    from sketchseek.gallery import Gallery


def copy_photos(gallery: "Gallery", paths: Sequence[Path], folder: Path, how: Literal["copy", "link"] = "copy") -> None:
    """Copy photos, or link to them, and say so; not into folders that were indexed, which stay as they are."""
    from sketchseek.gallery.collections import export

    real = Path(os.path.realpath(folder))
    for indexed in gallery.stats().folders:
        if real.is_relative_to(os.path.realpath(indexed)):
            raise SketchseekError(
                f"{shown(folder)} is in the indexed folder {shown(indexed)}, where the photos would be found again; "
                "name a folder outside it"
            )
    export(paths, folder, how)
    print_message(f"sketchseek: {counted(len(paths), 'photo')} in {shown(folder)}")
