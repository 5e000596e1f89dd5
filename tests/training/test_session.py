import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from sketchseek.training import files, session
from sketchseek.training.errors import Interrupted, TrainingError
from sketchseek.training.loop import Training
from sketchseek.training.recipe import Recipe, read_recipe
from sketchseek.training.session import train
from sketchseek.training.signals import Stop
from sketchseek.training.validation import ONE_PHOTO, WHOLE_CLASS, Validator

Make = Callable[..., Recipe]


def log(folder: Path) -> list[tuple[str, ...]]:
    """The lines of the log that do not depend on how fast the machine is."""
    with (folder / files.LOG).open(newline="") as stream:
        return [tuple(row) for row in csv.reader(stream) if row[2] != "images/s"]


def same_run(left: Path, right: Path) -> bool:
    return (
        (left / files.ADAPTER).read_bytes() == (right / files.ADAPTER).read_bytes()
        and log(left) == log(right)
        and all(
            torch.equal(tensor, load_file(right / files.STATE)[name])
            for name, tensor in load_file(left / files.STATE).items()
        )
    )


def test_a_run_folder_holds_what_it_should(recipe: Make, tmp_path: Path) -> None:
    one = recipe()
    outcome = train(one, tmp_path / "run")
    assert {file.name for file in (tmp_path / "run").iterdir()} == {
        files.RECIPE,
        files.ADAPTER,
        files.STATE,
        files.LOG,
        files.CURVES,
        files.CARD,
    }
    assert read_recipe(tmp_path / "run" / files.RECIPE) == one
    assert (tmp_path / "run" / files.CURVES).read_bytes().startswith(b"\x89PNG")
    adapter = load_file(tmp_path / "run" / files.ADAPTER)
    assert set(adapter) == {"linear.weight", "linear.bias", "norm.weight", "norm.bias", "mean"}  # nothing frozen
    assert outcome.trained == 32 * 32 + 32 + 32 + 32
    card = (tmp_path / "run" / files.CARD).read_text()
    assert f"{outcome.best.values['map@all']:.4f}" in card
    assert "ant, bee, cat, dog" in card
    names = {row[2] for row in log(tmp_path / "run")[1:]}
    metrics = {"val:map@all", "val:p@100", "val:acc@1"}
    assert names == {"loss", "loss:triplet", "loss:size", "rate:linear", "rate:norm", *metrics}
    assert {row[2] for row in log(tmp_path / "run")[1:] if row[0] == "0"} == metrics  # of the untrained method
    assert [row[0] for row in log(tmp_path / "run") if row[2] == "val:p@100"] == ["0", "6", "12"]


def test_training_learns(recipe: Make, tmp_path: Path) -> None:
    train(recipe(epochs=12, dropout=0.0, augment=False, batch=16, log_every=3), tmp_path / "run")
    losses = [float(value) for _, _, name, value in log(tmp_path / "run") if name == "loss:triplet"]
    assert losses[-1] < 0.5 * losses[0]


def test_the_same_seed_gives_the_same_run_and_another_one_another(recipe: Make, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        train(recipe(seed=seed), tmp_path / name)
    assert same_run(tmp_path / "one", tmp_path / "two")
    assert not same_run(tmp_path / "one", tmp_path / "other")


def test_workers_do_not_change_the_result(recipe: Make, tmp_path: Path) -> None:
    for workers in (1, 3):
        train(recipe(workers=workers), tmp_path / str(workers))
    assert same_run(tmp_path / "1", tmp_path / "3")


@pytest.mark.parametrize("setting", ["category", "fine-grained"])
@pytest.mark.parametrize("plan", ["shuffled", "pk", "category-pure"])
def test_every_setting_trains_with_every_plan(setting: str, plan: str, recipe: Make, tmp_path: Path) -> None:
    metric = "map@all" if setting == "category" else "acc@1"
    outcome = train(recipe(setting=setting, plan=plan, batch=4), tmp_path / "run")
    assert outcome.best.metric == metric
    assert 0 <= outcome.best.values[metric] <= 1
    untrained = {row[2] for row in log(tmp_path / "run")[1:] if row[0] == "0"}
    assert untrained == {f"val:{name}" for name in (WHOLE_CLASS if setting == "category" else ONE_PHOTO)}


def test_the_best_state_is_kept_not_the_last(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter([0.2, 0.1, 0.7, 0.7, 0.3])
    seen: list[dict[str, torch.Tensor]] = []

    def judge(self: Any, method: Any, progress: Any) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in method.adapter().items()})
        return {"map@all": next(marks)}

    monkeypatch.setattr(Validator, "__call__", judge)
    outcome = train(recipe(steps=8, validate_every=2), tmp_path / "run")
    assert (outcome.best.step, outcome.best.values) == (4, {"map@all": 0.7})
    kept = load_file(tmp_path / "run" / files.ADAPTER)
    assert all(torch.equal(kept[name], tensor) for name, tensor in seen[2].items())
    assert not torch.equal(kept["linear.weight"], seen[4]["linear.weight"])


def test_a_training_that_only_harms_keeps_the_untrained_state(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = iter([0.5, 0.4, 0.3])
    monkeypatch.setattr(Validator, "__call__", lambda *_: {"map@all": next(marks)})
    outcome = train(recipe(), tmp_path / "run")
    assert (outcome.best.step, outcome.best.values) == (0, {"map@all": 0.5})
    assert load_file(tmp_path / "run" / files.ADAPTER)["mean"].count_nonzero() == 0


def test_tf32_is_of_one_run(recipe: Make, tmp_path: Path) -> None:
    for number, (given, precision) in enumerate(((True, "high"), (False, "highest"))):
        train(recipe(tf32=given), tmp_path / str(number))
        assert torch.get_float32_matmul_precision() == precision


def test_without_validation_the_last_state_is_kept(recipe: Make, tmp_path: Path) -> None:
    outcome = train(recipe(validation="none", steps=5), tmp_path / "run")
    assert (outcome.best.step, outcome.best.metric) == (5, None)
    state = load_file(tmp_path / "run" / files.STATE)
    kept = load_file(tmp_path / "run" / files.ADAPTER)
    assert all(torch.equal(tensor, state[f"adapter.{name}"]) for name, tensor in kept.items())


def interrupt(one: Recipe, folder: Path, after: int, monkeypatch: pytest.MonkeyPatch, *, resume: bool = False) -> None:
    """Request a stop during step ``after``."""
    with monkeypatch.context() as patch:
        step_of = Training._step

        def step(self: Any, number: int, parts: Any, stop: Stop) -> Any:
            stop.requested = number + 1 >= after
            return step_of(self, number, parts, stop)

        patch.setattr(Training, "_step", step)
        with pytest.raises(Interrupted, match=rf"stopped after step {after} of .*train --out .* --resume") as end:
            train(one, folder, resume=resume)
        assert end.value.exit_code == 130


@pytest.mark.parametrize("stops", [(1,), (4, 5), (3, 7, 11)])
@pytest.mark.parametrize(
    "changes", [{}, {"plan": "pk", "schedule": "cosine", "optimiser": "adamw", "weight_decay": 0.1}]
)
def test_interrupted_and_resumed_equals_uninterrupted(
    stops: tuple[int, ...], changes: dict[str, Any], recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recipe(validate_every=4, warmup=3, **changes)
    train(one, tmp_path / "whole")
    for number, after in enumerate(stops):
        interrupt(one, tmp_path / "pieces", after, monkeypatch, resume=number > 0)
    train(one, tmp_path / "pieces", resume=True)
    assert same_run(tmp_path / "whole", tmp_path / "pieces")


def test_a_run_is_extended(recipe: Make, tmp_path: Path) -> None:
    train(recipe(epochs=2), tmp_path / "run")
    longer = train(recipe(epochs=3), tmp_path / "run", resume=True)
    whole = train(recipe(epochs=3), tmp_path / "whole")
    assert (longer.steps, longer.best, longer.was_finished) == (18, whole.best, False)
    assert same_run(tmp_path / "run", tmp_path / "whole")
    assert read_recipe(tmp_path / "run" / files.RECIPE).epochs == 3
    with pytest.raises(TrainingError, match=r"has trained 18 steps, and this recipe ends after 12: name more --epochs"):
        train(recipe(epochs=2), tmp_path / "run", resume=True)


def test_a_finished_run_has_nothing_left_to_do(recipe: Make, tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "run")
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    again = train(recipe(), tmp_path / "run", resume=True)
    assert again.was_finished
    assert not first.was_finished
    assert again.best == first.best
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_a_recipe_moves_with_its_data(
    recipe: Make, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recipe()
    interrupt(one, tmp_path / "run", 2, monkeypatch)
    (tmp_path / "moved").symlink_to(data)
    train(replace(one, data=str(tmp_path / "moved"), workers=1), tmp_path / "run", resume=True)
    train(one, tmp_path / "whole")
    assert same_run(tmp_path / "run", tmp_path / "whole")


def test_what_does_not_belong_to_a_run_is_refused(
    recipe: Make, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(TrainingError, match="holds no run to continue"):
        train(recipe(), folder, resume=True)
    interrupt(recipe(), folder, 2, monkeypatch)
    with pytest.raises(TrainingError, match=r"already holds a run: continue it with --resume"):
        train(recipe(), folder)
    with pytest.raises(TrainingError, match=r"begun with another recipe \(lr, margin differ\)"):
        train(recipe(lr=0.5, margin=0.5), folder, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(session, "weights_identity", lambda backbone: "others")
        with pytest.raises(TrainingError, match="the backbone has other weights now"):
            train(recipe(), folder, resume=True)
    new = data / "photo" / "ant" / "p9.png"
    new.write_bytes((data / "photo" / "ant" / "p0.png").read_bytes())
    try:
        with pytest.raises(TrainingError, match="the dataset has other pictures now"):
            train(recipe(), folder, resume=True)
    finally:
        new.unlink()
    state = folder / files.STATE
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"state\.safetensors is damaged"):
        train(recipe(), folder, resume=True)


def test_the_state_holds_numbers_and_no_pickle(recipe: Make, tmp_path: Path) -> None:
    train(recipe(steps=3), tmp_path / "run")
    with safe_open(tmp_path / "run" / files.STATE, framework="pt") as state:
        facts = json.loads(state.metadata()["sketchseek"])
    assert facts["step"] == 3
    assert facts["best"]["step"] == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fault": "nan 3"}, r"loss:triplet is nan in step 4 \(epoch 1\) of the recipe .*recipe\.toml"),
        ({"fault": "memory 2"}, "out of memory with batch 8 in 1 part.*batch lower than 8.*checkpointing=true"),
        ({"lr": 1e30, "margin": 1e30}, r"(is (nan|inf) in step|not finite or all zero)"),
        ({"batch": 200}, "a batch of 200 cannot be filled from 48 items.*; set --set batch=48 at most"),
        ({"batch": 16, "plan": "category-pure"}, "a batch of 16 of one class cannot be filled.*batch=12 at most"),
        ({"batch": 10, "plan": "pk", "per_class": 4}, "need a multiple of 4 in each part, not 10"),
        ({"batch": 16, "plan": "pk", "per_class": 2}, "only 4 of 4 classes have as many.*; set --set batch=8 at most"),
        ({"amp": "bf16"}, "bf16 needs a CUDA device, and this is cpu"),
        ({"device": "warp"}, "the device 'warp' cannot be used"),
        ({"classes": "ant"}, "'ant' is the only class to train on"),
        ({"validation": "ant,emu"}, "ant: trained on and validated on"),
        ({"validation": "gnu,"}, "gnu: test classes, on which nothing may be chosen"),
        ({"data": "nowhere"}, "nowhere"),
    ],
)
def test_mistakes_are_one_sentence(changes: dict[str, Any], said: str, recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=said) as error:
        train(recipe(**changes), tmp_path / "run")
    assert type(error.value).__module__.startswith("sketchseek.")
    assert "\n" not in str(error.value)


def test_a_method_that_trains_nothing_says_so(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.training.toys import Toy

    monkeypatch.setattr(Toy, "groups", lambda self: [])
    with pytest.raises(TrainingError, match="toy trains nothing: sketchseek evaluate --model toy"):
        train(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_setting_the_method_lacks(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.training.toys import Toy

    monkeypatch.setattr(Toy, "settings", ("category",))
    with pytest.raises(TrainingError, match="toy has no fine-grained setting: choose --setting category"):
        train(recipe(setting="fine-grained"), tmp_path / "run")
