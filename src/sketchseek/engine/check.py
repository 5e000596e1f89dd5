"""Check a model: every file, every graph, and the text vectors of CLIP ViT-B/32 against genuine ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchseek.arrays import ArraysError, read_arrays
from sketchseek.engine.encoder import Encoder, load
from sketchseek.engine.folder import EngineError, Precision
from sketchseek.engine.models import required_model

# 20 vectors of OpenAI's own ViT-B/32, half floats of length 1, each of the text "a NAME".
GENUINE = Path(__file__).with_name("clip_texts.npz")
OF = "openai/clip-vit-base-patch32"
LEAST: dict[Precision, float] = {"fp32": 0.999, "fp16": 0.999, "int8": 0.97}  # cosine
MAX_BYTES = 2**28


def check_model(name: str, vectors: str | None = None) -> Iterator[str]:
    """What was found right, one sentence each; raises ``EngineError`` for the first thing that is wrong.

    ``vectors``: an .npz file with ``names`` and ``vectors`` to compare with, in place of the genuine ones here.
    """
    model = load(required_model(name), name=name)
    model.verify()
    graphs = set(model.record.graphs.values())
    yield f"{name}: {len(model.record.files)} files and {len(graphs)} graphs are as they were made"
    published = model.record.method == "zero-shot" and model.record.backbone.partition("@")[0] == OF
    if vectors is not None or published:  # training may change texts, too
        names, expected = _read(Path(vectors) if vectors else GENUINE)
        yield _compare(model, names, expected)


def _compare(model: Encoder, names: list[str], expected: NDArray[np.float32]) -> str:
    if model.size != expected.shape[1]:
        raise EngineError(f"{model.name} makes vectors of {model.size} numbers, the file has {expected.shape[1]}")
    cosines = (model.encode_texts([f"a {name}" for name in names]) * expected).sum(axis=1)
    worst = int(cosines.argmin())
    least = LEAST[model.record.precision]
    if not cosines[worst] >= least:
        raise EngineError(
            f"the text vectors of {model.name} are not those of CLIP ViT-B/32: cosine {cosines[worst]:.4f} of "
            f'"a {names[worst]}", at least {least} expected; get the model again'
        )
    return f"{model.name}: {len(names)} text vectors equal the expected ones, lowest cosine {cosines[worst]:.5f}"


def _read(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """(names, vectors of length 1)."""
    try:
        found = read_arrays(path, limit=MAX_BYTES, names=("names", "vectors"))
        names, vectors = found["names"], found["vectors"].astype(np.float32)
        if names.ndim != 1 or vectors.ndim != 2 or not 0 < len(names) == len(vectors):
            raise KeyError
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [str(name) for name in names], vectors / lengths
    except ArraysError as error:
        raise EngineError(f"{path} {error}") from None
    except (KeyError, ValueError):
        raise EngineError(f"{path} needs arrays names (n) and vectors (n, size)") from None
