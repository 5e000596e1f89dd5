"""On a handful of made-up pictures every method drives its loss down and ranks the right photos higher."""

import pytest
import torch

from sketchseek.losses.distances import cosine_matrix
from sketchseek.methods.registry import METHODS
from tests.methods.test_every_method import embeddings, train

# The words of a random CLIP mean nothing: L_cls is let in, but must not drown the triplets.
FEW_WORDS = {"class_weight": 0.01, "tau": 0.1}
SOME_WORDS = {"class_weight": 0.05, "tau": 0.1}
PROMPTS = {**FEW_WORDS, "prompts": 8}
#: a method, a setting, Adam's rate, steps, options
CASES = [
    ("clip-at", "category", 1e-2, 30, SOME_WORDS),
    ("clip-at", "fine-grained", 1e-2, 60, {**FEW_WORDS, "shuffle_weight": 0.1}),
    ("splip", "category", 3e-3, 30, {"alpha": 0.1, "tau": 0.1}),
    ("splip", "category", 3e-3, 15, {"alpha": 0.1, "tau": 0.1, "text_cost": "per-image"}),
    ("splip", "fine-grained", 3e-3, 30, {"alpha": 0.1, "tau": 0.1}),
    ("dp-clip", "category", 1e-2, 20, SOME_WORDS),
    ("dp-clip", "fine-grained", 1e-2, 20, {}),
    ("linear-probe", "category", 1e-2, 40, SOME_WORDS),
    ("linear-probe", "fine-grained", 1e-2, 40, FEW_WORDS),
    ("full-fine-tune", "category", 1e-3, 20, SOME_WORDS),
    ("full-fine-tune", "fine-grained", 1e-3, 20, FEW_WORDS),
    *((f"{kind}-prompts", "category", 0.3, 40, SOME_WORDS) for kind in ("shallow", "modality", "independent")),
    *((f"{kind}-prompts", "category", 0.3, 40, SOME_WORDS) for kind in ("deep", "conditional")),
    *((f"{kind}-prompts", "fine-grained", 0.3, 40, PROMPTS) for kind in ("shallow", "modality", "independent")),
    *((f"{kind}-prompts", "fine-grained", 0.3, 40, PROMPTS) for kind in ("deep", "conditional")),
]


def mean_average_precision(method, batch):
    """Of the batch's sketches among its photos; fine-grained, among the photos of the sketch's class."""
    similarity = cosine_matrix(*embeddings(method, batch))
    same_class = batch.labels.unsqueeze(1) == batch.labels
    right = same_class if method.setting == "category" else torch.eye(len(similarity), dtype=torch.bool)
    precisions = []
    for row, relevant, allowed in zip(similarity, right, same_class, strict=True):
        gallery = torch.arange(len(row)) if method.setting == "category" else allowed.nonzero().squeeze(1)
        hits = relevant[gallery][row[gallery].argsort(descending=True)].float()
        precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
        precisions.append((precision * hits).sum() / hits.sum())
    return torch.stack(precisions).mean().item()


@pytest.mark.parametrize(("name", "setting", "rate", "steps", "options"), CASES)
def test_loss_goes_down_and_retrieval_up(build, batch_for, name, setting, rate, steps, options):
    method = build(name, setting, **options)
    batch = batch_for(method)
    before = mean_average_precision(method, batch)
    course = train(method, batch, steps, rate)
    assert sum(course[-3:]) / 3 < 0.92 * course[0]
    assert mean_average_precision(method, batch) > before


def test_every_method_that_is_trained_is_here():
    there = {(name, setting) for name, setting, *_ in CASES}
    assert there == {(name, s) for name in METHODS if name != "zero-shot" for s in ("category", "fine-grained")}
