"""Result files: scores of one model with everything they depend on, closed by a digest, so that a change is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek import __version__
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.definitions import definition
from sketchseek.evaluation.evaluate import Evaluation
from sketchseek.evaluation.vectors.npz import VectorSet
from sketchseek.untrusted import parse_json, read_bounded

FORMAT = 1
KEYS = ("format", "model", "about", "protocol", "queries", "gallery", "metrics", "definitions", "sha256", "digest")


def result_of_vectors(
    found: Mapping[str, Any], queries: VectorSet, gallery: VectorSet, model: str, about: str
) -> dict[str, Any]:
    """The result file of ``score``; ``found`` is what it printed, ``about`` says in words what the vectors are of."""
    whole = "the photo that the sketch was drawn from" if found["by"] == "instance" else "the photos of its class"
    return _closed(
        model={"name": model, "identity": None},
        about=about,
        protocol={
            "name": "score",
            "within_class": found["within_class"],
            "ties": found["ties"],
            "sentences": {
                "queries": Path(queries.source).name,
                "gallery": Path(gallery.source).name,
                "relevance": f"right are {whole}",
            },
        },
        found=found,
        lists={"queries": _arrays(queries), "gallery": _arrays(gallery)},
    )


def result_of_evaluation(evaluation: Evaluation, about: str) -> dict[str, Any]:
    """The result file of ``evaluate``."""
    found, main = evaluation.to_json(), evaluation.main
    special = ("subset", "look", "distractors", "transductive", "category", "seed", "papers")
    conditions = {key: found[key] for key in special}
    return _closed(
        model=evaluation.model,
        about=about,
        protocol=found["protocol"] | {"ties": found["ties"], "classes": found["classes"]} | conditions,
        found=found,
        lists={
            side: {
                "vectors": vectors,
                "labels": np.array([item.label for item in items], np.str_),
                "instances": np.array([item.instance or "" for item in items], np.str_),
                "names": np.array([item.path for item in items], np.str_),
            }
            for side, vectors, items in (
                ("queries", main.queries, main.task.queries),
                ("gallery", main.gallery, main.task.gallery),
            )
        },
    )


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write the file; an existing one is replaced."""
    try:
        path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise SketchseekError(
            f"the result cannot be written to {path} ({error.strerror}): name another file"
        ) from error


def read_result(path: Path) -> dict[str, Any]:
    """The result in a file; one that was changed since it was written is rejected."""
    try:
        result = parse_json(read_bounded(path))
    except (OSError, ValueError) as error:
        raise SketchseekError(f"{path} cannot be read as a result ({error}): write it again with --result") from error
    if not isinstance(result, dict) or any(key not in result for key in KEYS):
        raise SketchseekError(f"{path} is not a result file: write one with sketchseek score --result")
    if result["format"] != FORMAT:
        raise SketchseekError(f"{path} has format {result['format']}, and this sketchseek reads {FORMAT}: update it")
    if result["digest"] != _digest(result):
        raise SketchseekError(f"{path} was changed after it was written: write it again with --result")
    return result


def _closed(
    model: Mapping[str, Any],
    about: str,
    protocol: Mapping[str, Any],
    found: Mapping[str, Any],
    lists: Mapping[str, Mapping[str, NDArray[Any]]],
) -> dict[str, Any]:
    result = {
        "format": FORMAT,
        "sketchseek": __version__,
        "model": dict(model),
        "about": about,
        "protocol": dict(protocol),
        "queries": found["queries"],
        "queries_without_relevant": found["queries_without_relevant"],
        "gallery": found["gallery"],
        "metrics": found["metrics"],
        "intervals": found.get("intervals"),
        "bootstrap": found.get("bootstrap"),
        "definitions": {name: definition(name) for name in found["metrics"]},
        "sha256": {f"{side} {name}": _hash(array) for side, arrays in lists.items() for name, array in arrays.items()},
    }
    return result | {"digest": _digest(result)}


def _arrays(one: VectorSet) -> dict[str, NDArray[Any]]:
    arrays = {"vectors": one.vectors, "labels": one.labels, "instances": one.instances, "names": one.names}
    return {name: array for name, array in arrays.items() if array is not None}


def _hash(array: NDArray[Any]) -> str:
    """Of the values row by row, whatever file they come from: numbers as float32, words as lines of UTF-8."""
    if array.dtype.kind == "U":
        return hashlib.sha256("\n".join(array.tolist()).encode("utf-8", "surrogateescape")).hexdigest()
    values = array.astype("<f4") if array.ndim == 2 else array.astype("<i8")
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _digest(result: Mapping[str, Any]) -> str:
    content = {key: value for key, value in result.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
