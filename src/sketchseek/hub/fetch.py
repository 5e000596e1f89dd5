"""Download a backbone from the hub by name: one pinned state of a repository, every file checked."""

import re
from pathlib import Path

from sketchseek.hub.catalog import Pin, cached_files
from sketchseek.hub.errors import hub_errors
from sketchseek.hub.files import BackboneFiles, assign_roles
from sketchseek.hub.layouts import backbone_files
from sketchseek.hub.states import check_hash, known_pin, look_up, remember

__all__ = ["fetch", "is_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")


def is_hub_name(spec: str) -> bool:
    """Whether this is spelled like ``owner/model`` or ``owner/model@revision``."""
    return _NAME.fullmatch(spec) is not None


def fetch(spec: str) -> BackboneFiles:
    """The files of ``owner/model`` or ``owner/model@revision``, downloaded if necessary, each one checked.

    A name in the catalogue gives the revision and weights that are pinned there. Any other name is looked up once: the
    state that the hub serves then is recorded, and required from then on.
    """
    pin = known_pin(spec)
    files = cached_files(spec, pin) if pin else None
    if pin is None or files is None:
        pin = look_up(spec, backbone_files).pin  # also of a known state: this fails at once, a download tries for long
        files = _download(spec, pin)
    for path in files.all:
        check_hash(spec, path.name, files.hashes[path.name], pin.files.get(path.name), f"delete {path} and try again")
    remember(spec, Pin(pin.revision, {name: files.hashes[name] for name in pin.files if name in files.hashes}))
    return files


def _download(spec: str, pin: Pin) -> BackboneFiles:
    from huggingface_hub import hf_hub_download

    name = spec.partition("@")[0]
    with hub_errors(spec):
        # The hub's library shows a progress bar on a terminal, and nothing elsewhere.
        paths = {file: Path(hf_hub_download(name, file, revision=pin.revision)) for file in pin.files}
    return assign_roles(spec, paths)
