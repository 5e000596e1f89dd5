"""Backbones from the hub, by name: one pinned state of a repository, every file checked, one sentence when it fails."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, cached, published, recall, record
from sketchseek.hub.files import BackboneFiles, arrange

__all__ = ["fetch", "is_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


def is_hub_name(spec: str) -> bool:
    """Whether this is spelled like ``owner/model`` or ``owner/model@revision``."""
    return _NAME.fullmatch(spec) is not None


def fetch(spec: str) -> BackboneFiles:
    """The files of ``owner/model`` or ``owner/model@revision``, downloaded unless they are here, each one checked.

    A name of the catalogue gives the revision and the weights it pins. Any other is looked up once: what the hub serves
    then is recorded, and held to from then on.
    """
    entry = published().get(spec)
    noted = recall(spec)
    known = (entry.pin if entry else None) or noted
    if known is not None and noted is not None and noted.revision == known.revision:
        known = Pin(known.revision, {name: digest or noted.files.get(name) for name, digest in known.files.items()})
    files = cached(spec, known) if known else None
    pin = known
    if pin is None or files is None:
        with _told(spec):
            # Asked even for what is pinned: it fails at once where a download would try again and again.
            served = _look_up(spec, known.revision if known else entry.revision if entry else None)
            pin = known or served
            files = _download(spec, pin)
    _check(spec, pin.files, files)
    if noted is None or noted.revision != pin.revision:
        record(spec, Pin(pin.revision, {name: files.hashes.get(name) for name in pin.files if name in files.hashes}))
    return files


def _look_up(spec: str, revision: str | None) -> Pin:
    """The state of a repository, the present one unless told, with the hashes the hub announces for its large files."""
    from huggingface_hub import HfApi

    name, _, asked = spec.partition("@")
    found = HfApi().model_info(name, revision=asked or revision, files_metadata=True)
    announced = {one.rfilename: one.lfs.sha256 if one.lfs else None for one in found.siblings or []}
    assert found.sha is not None
    return Pin(found.sha, {file: announced[file] for file in _wanted(spec, announced)})


def _wanted(spec: str, there: Mapping[str, str | None]) -> list[str]:
    """Which of a repository's files make a backbone: weights, config, tokenizer and, if there is one, preprocessing."""
    if shards := sorted(filter(_SHARD.fullmatch, there)):
        weights, config = shards, "config.json"
    else:
        weights, config = ["model.safetensors"], "config.json"
    if not set(weights) <= there.keys() and "open_clip_model.safetensors" in there:
        weights, config = ["open_clip_model.safetensors"], "open_clip_config.json"
    needed = [*weights, config, "tokenizer.json"]
    if lacking := [file for file in needed if file not in there]:
        pickled = lacking[0] in weights and any(file.endswith((".bin", ".pt")) for file in there)
        advice = "download its pickles yourself and name the folder with --trust-pickle" if pickled else "it is no CLIP"
        raise SketchseekError(f"{spec} on the hub has no {lacking[0]}: {advice}")
    return [*needed, *(file for file in ("preprocessor_config.json",) if file in there)]


def _download(spec: str, pin: Pin) -> BackboneFiles:
    from huggingface_hub import hf_hub_download

    name = spec.partition("@")[0]
    # The hub's library draws a bar on a terminal and stays silent elsewhere.
    paths = {file: Path(hf_hub_download(name, file, revision=pin.revision)) for file in pin.files}
    return arrange(spec, paths)


def _check(spec: str, expected: Mapping[str, str | None], files: BackboneFiles) -> None:
    for path in files.all:
        wanted, found = expected.get(path.name), files.hashes[path.name]
        if wanted is not None and wanted != found:
            raise SketchseekError(
                f"{path} is not the {path.name} of {spec} that is expected (SHA-256 {found[:12]}..., not"
                f" {wanted[:12]}...): remove it and fetch it anew, and trust it no more if that does not help"
            )


@contextmanager
def _told(spec: str) -> Iterator[None]:
    """The many errors of the hub's library, each in one sentence."""
    from huggingface_hub import errors

    copy = "or copy its folder here and name the path"
    try:
        yield
    except SketchseekError:
        raise
    except errors.GatedRepoError:
        problem = "wants its terms accepted on the hub: do so and log in"
    except errors.RepositoryNotFoundError:
        problem = "is not on the hub: check the spelling (sketchseek models lists the names we know)"
    except errors.RevisionNotFoundError:
        problem = "has no such revision on the hub: name another"
    except errors.RemoteEntryNotFoundError:
        problem = "lacks a file at its revision on the hub: name another revision"
    except Exception as error:  # of the network, the disk and the library's other kinds
        if errors.OfflineModeIsEnabled in {type(error), type(error.__cause__)}:
            problem = "is not on this machine and HF_HUB_OFFLINE forbids to fetch it: unset that"
        else:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            problem = f"is not on this machine and cannot be fetched ({lines[0]}): go online"
    else:
        return
    raise SketchseekError(f"{spec} {problem}, {copy}")
