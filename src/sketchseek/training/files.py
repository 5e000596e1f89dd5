"""The files of a run folder. Each is written completely or not at all, even if the process or machine crashes."""

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
    """Replace ``file`` by ``data`` atomically; the data is on disk when this returns."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(data.encode("utf-8") if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
        if hasattr(os, "O_DIRECTORY"):  # the new name must be on disk too
            folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise TrainingError(
            f"{file} cannot be written ({error.strerror or error}): free disk space or fix its permissions, then "
            f"continue with sketchseek train --out {file.parent} --resume"
        ) from error
