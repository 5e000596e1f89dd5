"""What holds for every loss of the room alike."""

import subprocess
import sys

import pytest
import torch

from sketchseek.losses.adaptive_margin import adaptive_margin_triplet_loss, margin_table
from sketchseek.losses.batch_hard import batch_hard_loss
from sketchseek.losses.classification import classification_loss
from sketchseek.losses.jigsaw import jigsaw_loss
from sketchseek.losses.patch_shuffle import patch_shuffle_loss
from sketchseek.losses.relative_distance import relative_distance_loss, relative_distances
from sketchseek.losses.triplet import triplet_loss

N, SIZE = 8, 512
LABELS = torch.arange(N) % 4
OTHERS = (LABELS + 1) % 4
TEXTS = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(9))

LOSSES = {
    "triplet": lambda s, p, n: triplet_loss(s, p, n, 0.3),
    "adaptive margin": lambda s, p, n: adaptive_margin_triplet_loss(s, p, n, LABELS, OTHERS, margin_table(TEXTS)),
    "classification": lambda s, p, n: classification_loss(s, p[:4], LABELS) + classification_loss(n, p[:4], LABELS),
    "relative distance": lambda s, p, n: relative_distance_loss(relative_distances(s, p, n), LABELS),
    "patch shuffle": patch_shuffle_loss,
    "batch hard": lambda s, p, n: batch_hard_loss(s, p, torch.arange(N)),
    "jigsaw": lambda s, p, n: jigsaw_loss(s, p, n, LABELS),
}


@pytest.fixture
def features():
    """Three tensors (8, 512) as a tower under autocast gives them: near one another, of length 10."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(1, SIZE, generator=generator)
    return [(base + torch.randn(N, SIZE, generator=generator)).to(torch.bfloat16) / 2 for _ in range(3)]


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_features_lose_nothing_in_the_loss(features, name):
    exact = LOSSES[name](*(x.double() for x in features))
    assert exact > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = LOSSES[name](*features)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded.double(), exact, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["equal", "zero", "opposite"])
def test_degenerate_features_give_finite_losses_and_gradients(name, kind):
    factors = {"equal": (1, 1, 1), "zero": (0, 0, 0), "opposite": (1, -1, 1)}[kind]
    leaves = [torch.full((N, SIZE), float(factor), requires_grad=True) for factor in factors]
    loss = LOSSES[name](*leaves)
    loss.backward()
    assert loss.isfinite()
    assert all(x.grad is None or x.grad.isfinite().all() for x in leaves)


def test_losses_import_nothing_heavier_than_torch():
    code = (
        "import pkgutil, sys, sketchseek.losses as room\n"
        "for m in pkgutil.iter_modules(room.__path__, 'sketchseek.losses.'): __import__(m.name)\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'transformers', 'torchvision', 'matplotlib', 'sklearn'}\n"
        "    or (m.startswith('sketchseek.') and not m.startswith('sketchseek.losses'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
