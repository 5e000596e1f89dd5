import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sketchseek.training import files
from sketchseek.training.checkpoint import AdapterFacts, Best, load_adapter, load_state, save_adapter
from sketchseek.training.errors import TrainingError

FACTS = AdapterFacts("weights", ("ant", "bee"), Best(3, "map@all", {"map@all": 0.1 + 0.2}))


def test_an_adapter_comes_back_with_its_facts(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"stretch": whole[:, 1:], "turned": whole.T, "shared": whole, "count": torch.tensor(4)}
    save_adapter(tmp_path / "a", tensors, FACTS)
    found, facts = load_adapter(tmp_path / "a")
    assert facts == FACTS
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_the_same_adapter_is_the_same_file(tmp_path: Path) -> None:
    for name, tensors in (
        ("a", {"x": torch.ones(2), "y": torch.zeros(3)}),
        ("b", {"y": torch.zeros(3), "x": torch.ones(2)}),
    ):
        save_adapter(tmp_path / name, tensors, FACTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_adapter_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "adapter.safetensors"
    with pytest.raises(TrainingError, match=r"adapter\.safetensors does not exist: continue the training"):
        load_adapter(file)
    save_file({"x": torch.ones(1)}, file)
    with pytest.raises(TrainingError, match="is damaged or was not written by a training"):
        load_adapter(file)
    file.write_bytes(b"")
    with pytest.raises(TrainingError, match="is damaged"):
        load_state(file)
    save_file({"x": torch.ones(1)}, file, {"sketchseek": '{"format": 9}'})
    for load in (load_adapter, load_state):
        with pytest.raises(TrainingError, match="has format 9, and this sketchseek reads 1"):
            load(file)


WRONG_FACTS = [
    "[" * 100_000,
    "[]",
    "3",
    '{"format": 1}',
    '{"format": 1, "backbone": "b", "classes": 3, "best": {}}',
    '{"format": 1, "backbone": "b", "classes": [[]], "best": {"step": 1, "metric": null, "values": {}}}',
    '{"format": 1, "backbone": "b", "classes": [], "best": []}',
    '{"format": 1, "backbone": "b", "classes": [], "best": {"step": 1, "other": 2}}',
    '{"format": 1, "step": "x", "processes": 1, "best": null, "meter": {}, "recipe": "", "material": ""}',
    '{"format": 1, "step": 1, "processes": 1, "best": null, "meter": [], "recipe": "", "material": "", "backbone": ""}',
]


@pytest.mark.parametrize("facts", WRONG_FACTS, ids=lambda facts: facts[-30:])
def test_facts_that_are_none_are_one_sentence(facts: str, tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    save_file({"x": torch.ones(1)}, file, {"sketchseek": facts})
    for load in (load_adapter, load_state):
        with pytest.raises(TrainingError, match=r"state\.safetensors is damaged or was not written by a training"):
            load(file)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state"
    files.write_whole(file, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(
            TrainingError, match=r"state cannot be written \(No space left on device\): free disk space"
        ):
            files.write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    files.write_whole(file, "größer")
    assert file.read_text(encoding="utf-8") == "größer"
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
