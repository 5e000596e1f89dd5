"""Configs and weights of strangers in transformers' and open_clip's layouts: read, or one short sentence at once."""

import json
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sketchseek.clip.weights import read_backbone
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import files_in
from tests.hub.published import MAKERS

MOST_SECONDS = 60.0  # what is meant takes minutes
MORE_MEMORY = 3 * 2**30
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 5, 1.5, 1e308, float("nan"), float("inf"), 2**31 - 1, 2**31, 2**63, 10**9, 10**18,
    10**299, 10**400, "", "x", "64", "../x", "\0", "\udcff", "a" * 5000, [], {}, [[]], [0] * 1000, {"a": {"a": {}}},
    "missing",
)  # fmt: skip
# Keys that the files of the makers do not have.
MORE: dict[str, list[tuple[str, ...]]] = {
    "clip": [
        *(("vision_config", name) for name in ("layer_norm_eps", "num_channels", "model_type", "dtype")),
        *(("text_config", name) for name in ("eos_token_id", "projection_dim")),
        *((name,) for name in ("torch_dtype", "quantization_config", "auto_map", "vision_config_dict")),
    ],
    "open_clip": [
        *(("model_cfg", name) for name in ("quick_gelu", "custom_text")),
        *(("preprocess_cfg", name) for name in ("interpolation", "resize_mode", "size")),
    ],
    "siglip": [
        *(("vision_config", name) for name in ("layer_norm_eps", "num_channels", "hidden_act", "vision_use_head")),
        *(("text_config", name) for name in ("projection_size", "pad_token_id", "hidden_act")),
    ],
}


@pytest.fixture(scope="module", params=["clip", "open_clip", "siglip"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random weights in one of the layouts."""
    folder = tmp_path_factory.mktemp("published") / str(request.param)
    folder.mkdir()
    MAKERS[request.param](folder)
    read_backbone(files_in(folder))
    return folder


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = re.search(r"VmData:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert used
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * int(used[1]) + MORE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The keys that lead to each value of a JSON object."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*at, key)
        yield from places(inner, (*at, key))


def changed(whole: Any, at: tuple[str, ...], value: Any) -> Any:
    """A copy with another value, or without it."""
    copy = place = json.loads(json.dumps(whole))
    for key in at[:-1]:
        place = place[key]
    place.pop(at[-1], None)
    if value != "missing":
        place[at[-1]] = value
    return copy


def is_read_or_one_sentence(folder: Path) -> None:
    start = time.monotonic()
    try:
        assert read_backbone(files_in(folder)).tokens(["cat"]).ids.shape[0] == 1
    except SketchseekError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 400 + len(str(folder))
        assert str(folder) in str(error)
    assert time.monotonic() - start < MOST_SECONDS


QUICK = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUICK
@given(data=st.data())
def test_a_wrong_setting(data: Any, published: Path) -> None:
    file = data.draw(st.sampled_from(sorted(published.glob("*config.json"))))
    whole = json.loads(file.read_text())
    more = MORE[published.name] if file.name in ("config.json", "open_clip_config.json") else []
    wrong = changed(whole, data.draw(st.sampled_from([*places(whole), *more])), data.draw(st.sampled_from(VALUES)))
    try:
        file.write_text(json.dumps(wrong))
        is_read_or_one_sentence(published)
    finally:
        file.write_text(json.dumps(whole))


@QUICK
@given(data=st.data())
def test_a_wrong_header_of_weights(data: Any, published: Path) -> None:
    """Names, types, shapes and places of tensors."""
    (file,) = published.glob("*.safetensors")
    whole = file.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    wrong = changed(header, data.draw(st.sampled_from([*places(header)])), data.draw(st.sampled_from(VALUES)))
    written = json.dumps(wrong).encode()
    try:
        file.write_bytes(len(written).to_bytes(8, "little") + written + whole[8 + size :])
        is_read_or_one_sentence(published)
    finally:
        file.write_bytes(whole)


SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (1,),
    (2,),
    (3,),
    (64,),
    (0, 3),
    (1, 1),
    (32, 32),
    (4, 1, 1, 1),
    (1,) * 6,
)


@QUICK
@given(data=st.data())
def test_a_tensor_of_another_shape(data: Any, published: Path) -> None:
    (file,) = published.glob("*.safetensors")
    whole = load_file(file)
    kind = data.draw(st.sampled_from((torch.float32, torch.float16, torch.int64, torch.bool)))
    name = data.draw(st.sampled_from(sorted(whole)))
    try:
        save_file(whole | {name: torch.ones(data.draw(st.sampled_from(SHAPES)), dtype=kind)}, file)
        is_read_or_one_sentence(published)
    finally:
        save_file(whole, file)
