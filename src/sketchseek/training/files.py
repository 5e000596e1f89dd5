"""Files of a run folder are written whole or not at all, whatever happens to the process or the machine."""

import os
from pathlib import Path

from sketchseek.training.errors import TrainingError

RECIPE = "recipe.toml"
ADAPTER = "adapter.safetensors"
STATE = "state.safetensors"
LOG = "log.csv"
CURVES = "curves.png"
CARD = "README.md"


def write_whole(file: Path, data: bytes | str) -> None:
    """Put ``data`` where ``file`` is, in one step; it is on the disk when this returns."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(data.encode("utf-8") if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
        if hasattr(os, "O_DIRECTORY"):  # the new name is on the disk too
            folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise TrainingError(
            f"{file} cannot be written ({error.strerror or error}): make room or mend its permissions, then go on with "
            f"sketchseek train --out {file.parent} --resume"
        ) from error
