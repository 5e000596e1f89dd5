"""What people type for a published model, and the name of its folder in the models folder."""

import re
from collections.abc import Iterable

from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import published, short_names
from sketchseek.hub.fetch import is_hub_name
from sketchseek.hub.find import existing_path
from sketchseek.wording import nearest

__all__ = ["checked_name", "folder_name", "model_on_hub", "repository", "unknown_name"]

_FOLDER = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
RESERVED = ("fetched",)  # a folder of ours in the models folder


def repository(name: str) -> str | None:
    """``clip`` or ``owner/model[@revision]`` -> the repository on the hub; None if it is neither."""
    if entry := short_names().get(name):
        return entry.name
    return name if is_hub_name(name) else None


def model_on_hub(name: str) -> str | None:
    """The same for a model that may also be a path: what is here, such as ``folder/model``, is no repository."""
    return None if "/" in name and existing_path(name) is not None else repository(name)


def folder_name(spec: str) -> str:
    """The folder of a repository's model: its short name, else ``owner--model``."""
    entry = published().get(spec)
    return entry.short if entry else re.sub(r"[/@]", "--", spec)


def checked_name(name: str) -> str:
    """``name`` if it can be the name of a model's folder; raises an error otherwise."""
    if not _FOLDER.fullmatch(name) or name in RESERVED:
        raise SketchseekError(
            f"{name[:40]!r} cannot be the name of a model: use letters, digits, and . _ - after the first of them"
        )
    return name


def unknown_name(name: str, here: Iterable[str]) -> SketchseekError:
    """The error for a name that is nothing: it suggests the nearest ones."""
    known = list(dict.fromkeys([*here, *short_names()]))
    close = nearest(name, [*known, *published()])
    hint = f"perhaps you mean {' or '.join(close)}" if close else f"known names are {', '.join(known)}"
    return SketchseekError(
        f"no model {name[:100]!r}; {hint}; a model of the hub is named owner/model, a folder or file by its path"
    )
