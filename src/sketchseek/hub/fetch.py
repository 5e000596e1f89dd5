"""Download a backbone from the hub by name: one pinned state of a repository, every file checked."""

import re
from collections.abc import Mapping
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, cached_files, published, record_pin, recorded_pin
from sketchseek.hub.errors import hub_errors
from sketchseek.hub.files import BackboneFiles, assign_roles

__all__ = ["fetch", "is_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


def is_hub_name(spec: str) -> bool:
    """Whether this is spelled like ``owner/model`` or ``owner/model@revision``."""
    return _NAME.fullmatch(spec) is not None


def fetch(spec: str) -> BackboneFiles:
    """The files of ``owner/model`` or ``owner/model@revision``, downloaded if necessary, each one checked.

    A name in the catalogue gives the revision and weights that are pinned there. Any other name is looked up once: the
    state that the hub serves then is recorded, and required from then on.
    """
    entry = published().get(spec)
    recorded = recorded_pin(spec)
    known = (entry.pin if entry else None) or recorded
    if known is not None and recorded is not None and recorded.revision == known.revision:
        known = Pin(known.revision, {name: digest or recorded.files.get(name) for name, digest in known.files.items()})
    files = cached_files(spec, known) if known else None
    pin = known
    if pin is None or files is None:
        with hub_errors(spec):
            # Also for a pinned state: this fails at once, while a download would retry for long.
            served = _look_up(spec, known.revision if known else entry.revision if entry else None)
            pin = known or served
            files = _download(spec, pin)
    _check(spec, pin.files, files)
    if recorded is None or recorded.revision != pin.revision:
        hashes = {name: files.hashes[name] for name in pin.files if name in files.hashes}
        record_pin(spec, Pin(pin.revision, hashes))
    return files


def _look_up(spec: str, revision: str | None) -> Pin:
    """The state of a repository at ``revision`` or at its latest, with the hub's hashes of its large files."""
    from huggingface_hub import HfApi

    name, _, requested = spec.partition("@")
    found = HfApi().model_info(name, revision=requested or revision, files_metadata=True)
    announced = {one.rfilename: one.lfs.sha256 if one.lfs else None for one in found.siblings or []}
    assert found.sha is not None
    return Pin(found.sha, {file: announced[file] for file in _needed_files(spec, announced)})


def _needed_files(spec: str, available: Mapping[str, str | None]) -> list[str]:
    """The files of a repository that make a backbone: weights, config, tokenizer and, if present, preprocessing."""
    if shards := sorted(filter(_SHARD.fullmatch, available)):
        weights, config = shards, "config.json"
    else:
        weights, config = ["model.safetensors"], "config.json"
    if not set(weights) <= available.keys() and "open_clip_model.safetensors" in available:
        weights, config = ["open_clip_model.safetensors"], "open_clip_config.json"
    needed = [*weights, config, "tokenizer.json"]
    if missing := [file for file in needed if file not in available]:
        pickled = missing[0] in weights and any(file.endswith((".bin", ".pt")) for file in available)
        advice = "download its pickles yourself and name the folder with --trust-pickle"
        raise SketchseekError(f"{spec} on the hub has no {missing[0]}: {advice if pickled else 'it is not a CLIP'}")
    return [*needed, *(file for file in ("preprocessor_config.json",) if file in available)]


def _download(spec: str, pin: Pin) -> BackboneFiles:
    from huggingface_hub import hf_hub_download

    name = spec.partition("@")[0]
    # The hub's library shows a progress bar on a terminal, and nothing elsewhere.
    paths = {file: Path(hf_hub_download(name, file, revision=pin.revision)) for file in pin.files}
    return assign_roles(spec, paths)


def _check(spec: str, expected: Mapping[str, str | None], files: BackboneFiles) -> None:
    for path in files.all:
        required, found = expected.get(path.name), files.hashes[path.name]
        if required is not None and required != found:
            raise SketchseekError(
                f"{path} is not the expected {path.name} of {spec} (SHA-256 {found[:12]}..., not {required[:12]}...):"
                " delete it and download it again; do not trust it if the error remains"
            )
