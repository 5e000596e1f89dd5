"""Short names of folders for the page: a gallery folder's last part and the path below it, never a full path."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from sketchseek.wording import shown

_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])")


class FolderNames:
    """Unique names of ``folders`` (absolute paths); equal last parts get as many parent folders as needed."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.by_name = {_unique_name(folder, folders): folder for folder in folders}

    def split(self, path: Path) -> tuple[str, str]:
        """(folder, file name) of a photo, as people see them."""
        file_name = shown(path.name)
        for name, folder in sorted(self.by_name.items(), key=lambda item: -len(str(item[1]))):
            if path.is_relative_to(folder):
                inside = path.parent.relative_to(folder).parts
                return "/".join([name, *map(shown, inside)]), file_name
        return shown(path.parent.name), file_name

    def file(self, path: Path) -> str:
        """``folder/file name`` of a photo."""
        return "/".join(self.split(path))

    def find(self, name: str) -> Path | None:
        """The folder of a name that ``split`` returned, or a folder below it; None for any other name."""
        for root_name, folder in sorted(self.by_name.items(), key=lambda item: -len(item[0])):
            if name == root_name:
                return folder
            if name.startswith(root_name + "/"):
                try:
                    parts = [_unescaped(part) for part in name[len(root_name) + 1 :].split("/")]
                    for part in parts:
                        os.fsencode(part)
                except UnicodeError:  # no file can have such a name
                    return None
                if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
                    return None
                return folder.joinpath(*parts)
        return None


def _unique_name(folder: Path, folders: Sequence[Path]) -> str:
    others = [other for other in folders if other != folder]
    for count in range(1, len(folder.parts) + 1):
        tail = folder.parts[-count:]
        if all(other.parts[-count:] != tail for other in others):
            break
    return "/".join(shown(part.strip(os.sep) or part) for part in tail) or "/"


def _unescaped(part: str) -> str:
    """The file name that ``shown`` escaped to ``part``."""

    def unescape(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] == "x" and int(code[1:], 16) >= 0x80:
            return os.fsdecode(bytes([int(code[1:], 16)]))
        return match[0].encode().decode("unicode_escape")

    return _ESCAPE.sub(unescape, part)
