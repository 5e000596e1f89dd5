import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from sketchseek.losses.batch_hard import batch_hard_loss
from sketchseek.methods import clip_at, dp_clip
from sketchseek.methods.gathering import gathered
from sketchseek.methods.method import Batch, Clock

SIZE, ROWS = 2, 3


def features() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures of sketches and photos, the number of each photo, and the weights they pass through."""
    generator = torch.Generator().manual_seed(0)
    sketches, photos = torch.randn(2, SIZE * ROWS, 5, generator=generator)
    return sketches, photos, torch.tensor([0, 1, 2, 0, 3, 4]), torch.randn(5, 4, generator=generator)


def work(rank: int, folder: str) -> None:
    """One process: its share of the pictures, the loss over all, and the gradient averaged as training does."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=SIZE)
    sketches, photos, instances, weights = features()
    own = slice(rank * ROWS, (rank + 1) * ROWS)
    weights.requires_grad_(True)
    drawn, shown = sketches[own] @ weights, photos[own] @ weights
    loss = batch_hard_loss(gathered(drawn), gathered(shown), gathered(instances[own]))
    loss.backward()
    gradient = weights.grad
    assert gradient is not None
    dist.all_reduce(gradient)
    torch.save({"loss": loss.detach(), "gradient": gradient / SIZE}, Path(folder) / str(rank))
    dist.destroy_process_group()


def test_two_processes_find_the_hardest_photo_of_the_whole_batch(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=work, args=(rank, str(tmp_path))) for rank in range(SIZE)]
    for process in processes:
        process.start()
    sketches, photos, instances, weights = features()
    weights.requires_grad_(True)
    loss = batch_hard_loss(sketches @ weights, photos @ weights, instances)
    loss.backward()
    weights, gradient = weights.detach(), weights.grad
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    for rank in range(SIZE):
        found = torch.load(tmp_path / str(rank), weights_only=True)
        torch.testing.assert_close(found["loss"], loss.detach())
        torch.testing.assert_close(found["gradient"], gradient)
    parts = [slice(rank * ROWS, (rank + 1) * ROWS) for rank in range(SIZE)]
    alone = [batch_hard_loss(sketches[own] @ weights, photos[own] @ weights, instances[own]) for own in parts]
    assert abs(float(torch.stack(alone).mean() - loss.detach())) > 1e-3  # which each share for itself would miss


@pytest.mark.parametrize(
    ("name", "module", "loss", "options"),
    [
        ("dp-clip", dp_clip, "hard", {"prompts": 0, "hard_stages": 6}),  # support pictures would be drawn at random
        ("clip-at", clip_at, "delta", {}),
    ],
)
def test_a_method_compares_with_the_triplets_of_other_processes(
    build: Any, pure_batch: Batch, fine_batch: Batch, monkeypatch: pytest.MonkeyPatch, name, module, loss, options
) -> None:
    method, late = build(name, "fine-grained", **options), Clock(59, 59, 60)
    batch = pure_batch if name == "dp-clip" else fine_batch
    rows = [torch.arange(len(batch.sketches)) % 2 == own for own in (0, 1)]  # of each class as many in both halves
    here, there = (Batch(**{key: value[own] for key, value in vars(batch).items()}) for own in rows)
    sent: list[torch.Tensor] = []

    def send(rows: torch.Tensor) -> torch.Tensor:
        sent.append(rows.detach())
        return rows

    monkeypatch.setattr(module, "gathered", send)
    method.losses(there, late)
    others = iter(list(sent))
    monkeypatch.setattr(module, "gathered", lambda rows: torch.cat((rows, next(others))))
    found = method.losses(here, late)[loss]
    monkeypatch.undo()
    together = Batch(**{key: torch.cat((value, getattr(there, key))) for key, value in vars(here).items()})
    torch.testing.assert_close(found, method.losses(together, late)[loss])
    assert abs(found - method.losses(here, late)[loss]) > 1e-4 * found


def test_alone_nothing_is_copied() -> None:
    rows = torch.ones(2, 3)
    assert gathered(rows) is rows
