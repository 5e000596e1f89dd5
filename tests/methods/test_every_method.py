"""What holds for every method in every setting."""

import pytest
import torch

from sketchseek.methods.method import Clock
from sketchseek.methods.registry import METHODS

torch.set_num_threads(2)
START = Clock(epoch=0, step=0, steps=100)
#: a method, a setting, options
EVERY = [(name, setting, {}) for name in METHODS for setting in ("category", "fine-grained")] + [
    ("clip-at", "category", {"encoders": "shared-norms", "class_weight": 0.0, "forgotten": True}),
    ("splip", "category", {"text_cost": "per-image", "block_per_layer": True}),
    ("splip", "fine-grained", {"train_norms": False, "beta": 0.0}),
]
every = pytest.mark.parametrize(("name", "setting", "options"), EVERY)


@every
def test_what_is_trained_is_what_groups_name_and_all_of_it_learns(build, batch_for, name, setting, options):
    method = build(name, setting, **options)
    named = [p for group in method.groups() for p in group.parameters]
    assert len({id(p) for p in named}) == len(named)
    assert {id(p) for p in method.parameters() if p.requires_grad} == {id(p) for p in named}
    losses = method.losses(batch_for(method), START)
    total = sum(losses.values())
    assert total.shape == ()
    assert torch.isfinite(total)
    if named:
        total.backward()
        missing = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
        assert not missing
