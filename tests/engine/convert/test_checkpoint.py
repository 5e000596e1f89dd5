"""Tensors are read from safetensors as that package writes them; what is damaged is one sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sketchseek.engine.convert import checkpoint
from sketchseek.engine.convert.checkpoint import Checkpoint, ConvertError


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_floats_of_every_width(kind: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_BLOCK", 7)
    tensors = {"a": torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).to(kind), "scale": torch.tensor(3.0)}
    save_file({**tensors, "numbers": torch.arange(3)}, tmp_path / "x.safetensors", metadata={"format": "pt"})
    with Checkpoint([tmp_path / "x.safetensors"]) as found:
        assert found.shapes == {"a": (5, 4), "scale": ()}  # whole numbers are no weights
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(found.read(name), tensor.float().numpy())


def test_several_files_are_one_checkpoint(tmp_path: Path) -> None:
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for number, path in enumerate(paths):
        save_file({f"t{number}": torch.full((3,), float(number))}, path)
    with Checkpoint(paths) as found:
        assert [found.read(name).tolist() for name in ("t0", "t1")] == [[0, 0, 0], [1, 1, 1]]


def written(path: Path, table: Any, body: bytes = bytes(16)) -> Path:
    head = json.dumps(table).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + body)
    return path


@pytest.mark.parametrize(
    "facts",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 20]},
        {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]},
        {"dtype": "F32", "shape": [4]},
        [],
    ],
)
def test_a_table_that_lies_is_one_sentence(facts: Any, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="is damaged or incomplete: download it again"):
        Checkpoint([written(tmp_path / "x.safetensors", {"a": facts})])


@settings(max_examples=60)
@given(data=st.data())
def test_any_damage_is_one_sentence_or_other_numbers(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(
        tmp_path_factory.getbasetemp() / "damaged.safetensors",
        {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}},
    )
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        with Checkpoint([path]) as found:
            for name, shape in found.shapes.items():
                assert found.read(name).shape == shape
    except ConvertError as error:
        assert "\n" not in str(error)
