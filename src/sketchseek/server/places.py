"""Folders as the page names them: by the last part of a gallery's folder and what lies below, never a whole path."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from sketchseek.wording import shown

_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])")


class Places:
    """The names of ``folders`` (absolute), made different by as many parent folders as it takes."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.by_name = {_label(folder, folders): folder for folder in folders}

    def of(self, path: Path) -> tuple[str, str]:
        """(folder, file name) of a photo, for people."""
        name = shown(path.name)
        for label, folder in sorted(self.by_name.items(), key=lambda item: -len(str(item[1]))):
            if path.is_relative_to(folder):
                inside = path.parent.relative_to(folder).parts
                return "/".join([label, *map(shown, inside)]), name
        return shown(path.parent.name), name

    def file(self, path: Path) -> str:
        return "/".join(self.of(path))

    def find(self, name: str) -> Path | None:
        """The folder of a name that ``of`` gave, or one below it; None for everything else."""
        for label, folder in sorted(self.by_name.items(), key=lambda item: -len(item[0])):
            if name == label:
                return folder
            if name.startswith(label + "/"):
                parts = [_unshown(part) for part in name[len(label) + 1 :].split("/")]
                if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
                    return None
                return folder.joinpath(*parts)
        return None


def _label(folder: Path, folders: Sequence[Path]) -> str:
    others = [other for other in folders if other != folder]
    for count in range(1, len(folder.parts) + 1):
        tail = folder.parts[-count:]
        if all(other.parts[-count:] != tail for other in others):
            break
    return "/".join(shown(part.strip(os.sep) or part) for part in tail) or "/"


def _unshown(part: str) -> str:
    """The name that ``shown`` wrote like this."""

    def back(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] == "x" and int(code[1:], 16) >= 0x80:
            return os.fsdecode(bytes([int(code[1:], 16)]))
        return found[0].encode().decode("unicode_escape")

    return _ESCAPE.sub(back, part)
