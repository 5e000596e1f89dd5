"""A model folder without the weights that another model has: what a trained adapter is published as.

base.json       the base's name on the hub, and for each file of weights where each tensor of it lies
own.safetensors the tensors that the base does not have
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import CONFIG, EngineError, read_record
from sketchseek.engine.weights import PADDING, TYPES, SharedWeights, WeightFile
from sketchseek.hub.fetch import is_hub_name
from sketchseek.untrusted import parse_json, read_bounded

BASE, OWN = "base.json", "own.safetensors"
FORMAT, VERSION = "sketchseek-base", 1
MAX_BASE = 16 * 2**20  # bytes of base.json; a thousand tensors need a hundredth of it
_FILE = re.compile(r"\w[\w-]{0,40}\.safetensors", re.ASCII)
MOST = 4  # times the weights of the base and the model's own; a trained model has hardly more than once
LARGEST_PART = 0.5  # of the weights that are the model's own: with more of them, the whole folder is published

Array = NDArray[Any]
Tensors = Mapping[str, Array]


def _forms(name: str, tensor: Array) -> Iterator[tuple[str, Array]]:
    """A tensor of a converted model as other graphs may store it: a matrix transposed, patches for a convolution."""
    yield "same", tensor
    if tensor.ndim == 2:
        yield "transposed", tensor.T
        if name == "image.patch" and (side := round((len(tensor) / 3) ** 0.5)) ** 2 * 3 == len(tensor):
            yield "kernel", tensor.T.reshape(-1, side, side, 3).transpose(0, 3, 1, 2)


def split(folder: Path, base: Path, name: str, out: Path) -> bool:
    """Write base.json and own.safetensors into ``out`` for a model folder whose base is the model folder ``base``.

    ``name``: of the base on the hub. False, and nothing is written, if most weights are the model's own.
    """
    known = {
        _digest(tensor): (file, key, form)
        for file, tensors in _weights(base).items()
        for key, whole in tensors.items()
        for form, tensor in _forms(key, whole)
    }
    own, own_bytes, all_bytes = WeightFile(OWN), 0, 0
    files: dict[str, list[dict[str, Any]]] = {}
    kinds = {kind: written for written, kind in TYPES.items()}
    for file, tensors in _weights(folder).items():
        files[file] = []
        for key, tensor in tensors.items():
            if key.startswith(PADDING):
                continue
            origin = known.get(_digest(tensor))
            facts = {"name": key, "kind": kinds[tensor.dtype], "shape": list(tensor.shape)}
            files[file].append(facts | ({"from": origin} if origin else {}))
            all_bytes += tensor.nbytes
            if origin is None:
                own.add(key, tensor.dtype, tensor.shape, partial(np.asarray, tensor))
                own_bytes += tensor.nbytes
    if own_bytes > LARGEST_PART * all_bytes:
        return False
    own.write(out)
    written = {"format": FORMAT, "version": VERSION, "base": name, "files": files}
    (out / BASE).write_text(json.dumps(written, separators=(",", ":")), encoding="utf-8")
    return True


def base_of(folder: Path) -> str | None:
    """The name of the base that a downloaded folder needs; None if it is whole."""
    return str(_read(folder)["base"]) if (folder / BASE).is_file() else None


def restore(folder: Path, base: Path) -> None:
    """Make the files of weights of a folder whose base is the model folder ``base``; removes what ``split`` wrote."""
    listing = _read(folder)
    try:
        facts = parse_json(read_bounded(folder / CONFIG))["files"]
        own, known = _tensors(folder / OWN), _weights(base)
        made = [(facts[file], _joined(file, listed, own, known)) for file, listed in listing["files"].items()]
        # Before anything is written: a short list can name the same large tensor many times.
        sizes = [weights.size() for _, weights in made]
        if sizes != [stated["size"] for stated, _ in made]:
            raise ValueError("a file becomes larger or smaller than was published")
        there = sum(tensor.nbytes for tensors in (own, *known.values()) for tensor in tensors.values())
        if sum(sizes) > MOST * there:
            raise ValueError(f"it would become more than {MOST} times as large as its base")
        for stated, weights in made:
            if stated["sha256"] != weights.write(folder).sha256:
                raise ValueError(f"{weights.name} becomes another file than was published")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise EngineError(
            f"{listing['base']} on this machine is not the base on which this model was trained, or one of them is "
            f"damaged ({reason}): sketchseek models remove {base.name}, then try again"
        ) from None
    for name in (BASE, OWN):
        (folder / name).unlink()


def _joined(file: str, listed: list[dict[str, Any]], own: Tensors, known: Mapping[str, Tensors]) -> WeightFile:
    """A file of weights, not written yet, from its own tensors and those of the base."""
    if not _FILE.fullmatch(file) or file == OWN:
        raise ValueError(f"{file[:40]} is no file of weights")
    weights = WeightFile(file)
    for facts in listed:
        name, kind, shape = str(facts["name"]), TYPES[facts["kind"]], tuple(facts["shape"])
        tensor = _turned(known, *facts["from"]) if "from" in facts else own[name]
        if tensor.dtype != kind or tensor.shape != shape:
            raise ValueError(f"{name[:40]} has another shape")
        weights.add(name, kind, shape, partial(np.asarray, tensor))
    return weights


def _turned(known: Mapping[str, Tensors], file: str, name: str, form: str) -> Array:
    return dict(_forms(name, known[file][name]))[form]


def _read(folder: Path) -> dict[str, Any]:
    """The content of base.json."""
    try:
        found = parse_json(read_bounded(folder / BASE, MAX_BASE))
        if found["format"] != FORMAT or not is_hub_name(found["base"]) or not isinstance(found["files"], dict):
            raise ValueError
    except OSError as error:
        raise EngineError(f"{folder / BASE} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        raise EngineError(f"{folder / BASE} does not name a base: ask its author to publish it again") from None
    if found.get("version") != VERSION:
        raise EngineError(f"{folder / BASE} has version {str(found.get('version'))[:20]}: update sketchseek")
    return dict(found)


def _weights(folder: Path) -> dict[str, Tensors]:
    """The tensors of a model folder by file and name, read page by page when they are used."""
    return {file: _tensors(folder / file) for file in sorted(set(read_record(folder).weights.values()))}


def _tensors(path: Path) -> Tensors:
    try:
        return SharedWeights(path.name, np.memmap(path, np.uint8, "r")).tensors()
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}") from None


def _digest(tensor: Array) -> str:
    head = f"{tensor.dtype} {tensor.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(tensor).tobytes()).hexdigest()
