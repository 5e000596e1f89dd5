"""Compare the exported graphs with torch on sample inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.clip.backbone import Backbone
from sketchseek.engine.folder import EngineError, Role
from sketchseek.engine.golden import LEAST, cosine_of_maps, least_cosine
from sketchseek.engine.sample_inputs import SAMPLE_TEXTS, sample_pictures
from sketchseek.engine.sessions import OrtSession
from sketchseek.export.graphs import Traced, run_torch

Inputs = dict[str, NDArray[Any]]
_BATCHES = (1, 3)  # other sizes than the trace's


def check_parity(graphs: Mapping[Role, Traced], backbone: Backbone) -> float:
    """The lowest cosine between the vectors or lines of a graph and those of torch; an error if it is too low."""
    least = 1.0
    for role, traced in graphs.items():
        session = OrtSession(traced.graph, "CPU", threads=0)
        for inputs in _inputs(role, graphs, backbone):
            cosine = _least(role, session, inputs, run_torch(traced, inputs))
            if not cosine >= LEAST["fp32"]:
                raise EngineError(
                    f"the exported graph of {role} does not compute what torch does (cosine {cosine:.5f} on sample "
                    f"inputs, {LEAST['fp32']} is required): nothing was written"
                )
            least = min(least, cosine)
    return least


def _least(role: Role, session: OrtSession, inputs: Inputs, expected: Sequence[NDArray[Any]]) -> float:
    """The lowest cosine between what a graph computes and what torch does."""
    if role == "lines":
        return cosine_of_maps(session(inputs, ["lines"])[0], expected[0])
    if role == "photo" and len(expected) == 3:
        vectors, maps = session(inputs, ["vectors", "maps"])
        return min(least_cosine(vectors, expected[0]), least_cosine(maps, expected[2]))
    return least_cosine(session(inputs, ["vectors"])[0], expected[0])


def _inputs(role: Role, graphs: Mapping[Role, Traced], backbone: Backbone) -> list[Inputs]:
    if role == "text":
        return [text_inputs(backbone, SAMPLE_TEXTS), text_inputs(backbone, SAMPLE_TEXTS[:1])]
    pictures: Role = "sketch" if role.startswith("sketch") else "photo"
    side = (backbone.sketches if pictures == "sketch" else backbone.photos).size
    pixels: list[Inputs] = [{"pixels": sample_pictures(count, side, seed=count)} for count in _BATCHES]
    if role == pictures:
        return pixels
    if role == "lines":
        return [{"maps": run_torch(graphs["photo"], inputs)[2]} for inputs in pixels]
    return [{"states": run_torch(graphs[pictures], inputs)[1]} for inputs in pixels]


def text_inputs(backbone: Backbone, texts: Sequence[str]) -> Inputs:
    """Texts -> the inputs of a text graph."""
    tokens = backbone.tokenizer(texts)
    return {"ids": np.asarray(tokens.ids.numpy()), "ends": np.asarray(tokens.ends.numpy())}
