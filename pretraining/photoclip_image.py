"""Train the image tower of photoclip on photos and the words for them, and never on a drawing.

    python pretraining/photoclip_image.py DATA RUN --steps 1800

A transformer of eight layers on the frozen first half of an ImageNet network; the whole of that network is its teacher
(``photoclip_teacher.py``). Words are vectors of CLIP's text tower, or what that would say. Most steps see a random half
of a picture's patches, which halves their cost.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imagenet import STEM, class_synsets, imagenet_network, synsets
from material import PHOTOS, Opener, list_items
from photoclip_teacher import BLOCKS, CELLS, SIZE, arrays, axes_of, photos
from places import vocabulary
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, kl_div, log_softmax, normalize

from sketchseek.clip.lite import MODEL_TYPE, build_lite
from sketchseek.clip.towers import ImageTower
from sketchseek.pictures import fit, normalise

SPACE = 512  # numbers of an embedding: CLIP's
CONFIG: dict[str, Any] = {
    "model_type": MODEL_TYPE,
    "size": SPACE,
    "image": {
        "stem": STEM, "blocks": BLOCKS, "side": 224, "width": 192, "layers": 8, "heads": 3, "mlp_width": 768,
    },
    "text": {"vocabulary": 4000, "context": 32, "width": 256, "layers": 3, "heads": 4, "mlp_width": 512},
}  # fmt: skip
BATCH, WHOLE = 128, 0.15  # pictures; the last part of all steps sees all patches
NAMED = 0.7  # of a photo's target; the rest is what the ImageNet network says
NEAR = 0.1  # temperature of similarities between photos
SAVE = 100  # steps


class Trained(nn.Module):
    """The tower, its temperature, and the heads that only training needs: from a state to the teacher's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.tower: ImageTower = build_lite(CONFIG)[0]
        stem, width = self.tower.stem, self.tower.width
        teacher = imagenet_network()[0]
        stem.first.load_state_dict(teacher.first.state_dict())
        stem.blocks.load_state_dict(teacher.blocks[:BLOCKS].state_dict())
        stem.first.requires_grad_(False)
        stem.blocks.requires_grad_(False)
        self.whole, self.cell = nn.Linear(width, SIZE), nn.Linear(width, SIZE)
        self.scale = nn.Parameter(torch.tensor(2.6))
        for part in (stem.to_width, *self.tower.layers.modules(), self.tower.projection):
            if isinstance(part, nn.Linear | nn.Conv2d):
                nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
        for value in (stem.cls, stem.positions):
            nn.init.normal_(value, std=0.02)

    def forward(self, maps: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of the stem, patches to keep (n, k) -> embeddings (n, SPACE), wholes (n, SIZE), cells (n, k, SIZE)."""
        stem: Any = self.tower.stem
        tokens = stem.tokens(maps)
        if kept is not None:
            patches = tokens[:, 1:].gather(1, kept[..., None].expand(-1, -1, tokens.shape[2]))
            tokens = torch.cat((tokens[:, :1], patches), dim=1)
        run = self.tower.run(tokens, keep=[self.tower.depth])
        states = self.tower.post_norm(run.tokens[self.tower.depth])
        return run.embedding.float(), self.whole(states[:, 0]).float(), self.cell(states[:, 1:]).float()


def targets(data: Path, run: Path, cells: np.ndarray) -> tuple[Tensor, Tensor]:
    """Words for each photo: a distribution (photos, words), and the places of the words (words, SPACE), unit rows."""
    items, lemmas = photos(data), synsets()
    known = [lemmas[synset][0].lower() for synset in class_synsets()]
    words, meant = vocabulary(run, data, {item.name for item in items if item.name})
    number_of = {word: number for number, word in enumerate(words)}
    used = sorted({*known, *(item.name for item in items if item.name)})
    column = {word: number for number, word in enumerate(used)}
    _, rows, bias = imagenet_network()
    to_logits = rows @ axes_of(rows).T
    found = torch.zeros(len(items), len(used))
    columns = torch.tensor([column[word] for word in known])
    for start in range(0, len(items), 1000):
        pooled = torch.from_numpy(cells[start : start + 1000].astype(np.float32)).mean((1, 2))
        found[start : start + 1000].index_add_(1, columns, (pooled @ to_logits.T + bias).softmax(1))
    for row, item in enumerate(items):
        if item.name:
            found[row] *= 1 - NAMED
            found[row, column[item.name]] += NAMED
    places = meant[[number_of[word] for word in used], -SPACE:]
    return found, normalize(places, dim=1)


def crops(maps: Tensor, cells: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Maps (n, channels, 14, 14) and cells (n, SIZE, grid, grid) of photos -> random parts of both, half mirrored.

    Maps of the same shape; cells (n, 49, SIZE). A third of the photos stay whole.
    """
    count = len(maps)
    area, ratio = torch.rand(2, count, generator=dice)
    area, ratio = 0.4 + 0.6 * area, (0.6 * (ratio - 0.5)).exp()
    sides = torch.stack(((area * ratio).sqrt(), (area / ratio).sqrt())).clamp(max=1)
    sides = torch.where(torch.rand(count, generator=dice) < 1 / 3, 1.0, sides)
    x, y = (2 * torch.rand(2, count, generator=dice) - 1) * (1 - sides)
    mirror = torch.randint(0, 2, (count,), generator=dice) * 2 - 1
    zero = torch.zeros(count)
    boxes = torch.stack((sides[0] * mirror, zero, x, zero, sides[1], y), dim=1).view(-1, 2, 3)

    def part(of: Tensor, grid: int) -> Tensor:
        places = affine_grid(boxes, [count, 1, grid, grid], align_corners=False)
        return grid_sample(of, places, padding_mode="border", align_corners=False)

    return part(maps, CELLS), part(cells, CELLS // 2).flatten(2).transpose(1, 2)


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - cosine, mean over all rows."""
    return (1 - (normalize(found, dim=-1) * normalize(wanted, dim=-1)).sum(-1)).mean()


def loss_of(
    model: Trained, seen: tuple[Tensor, Tensor], words: Tensor, places: Tensor, centre: Tensor, kept: Tensor | None
) -> tuple[Tensor, dict[str, float]]:
    """The sum of four losses: cells, whole, words, similarities between photos."""
    maps, cells = seen
    embeddings, whole, local = model(maps, kept)
    cells = cells - centre
    pooled = normalize(cells.mean(1), dim=1)
    if kept is not None:
        cells = cells.gather(1, kept[..., None].expand(-1, -1, SIZE))
    embeddings = normalize(embeddings, dim=1)
    same = torch.eye(len(maps), dtype=torch.bool)
    near = [((rows @ rows.T) / NEAR).masked_fill(same, -1e4) for rows in (embeddings, pooled)]
    parts = {
        "cells": distance(local, cells),
        "whole": distance(whole, pooled),
        "words": cross_entropy(model.scale.exp() * embeddings @ places.T, words),
        "near": kl_div(log_softmax(near[0], 1), log_softmax(near[1], 1), log_target=True, reduction="batchmean"),
    }
    total = parts["cells"] + parts["whole"] + 0.5 * parts["words"] + 2 * parts["near"]
    return total, {name: round(float(value.detach()), 3) for name, value in parts.items()}


def held_out(data: Path) -> tuple[Tensor, np.ndarray]:
    """The maps of the photos of Sketchy's validation classes, and their classes."""
    opener = Opener(data)
    items = [item for item in list_items(data) if (item.kind, item.sort, item.part) == ("photo", "sketchy", "val")]
    pixels = normalise(np.stack([fit(opener(item), PHOTOS) for item in items]), PHOTOS)
    with torch.inference_mode():
        maps = imagenet_network()[0].early(torch.from_numpy(pixels), BLOCKS)
    return maps.clone(), np.array([item.name for item in items])


def average_precision(tower: ImageTower, maps: Tensor, classes: np.ndarray) -> float:
    """mAP@all of each photo as the query of the others, in percent."""
    with torch.inference_mode():
        stem: Any = tower.stem
        vectors = normalize(tower.run(stem.tokens(maps)).embedding, dim=1)
    similar = (vectors @ vectors.T).fill_diagonal_(-2).numpy()
    right = (classes[np.argsort(-similar, axis=1)] == classes[:, None])[:, :-1]
    precision = right.cumsum(1) / np.arange(1, right.shape[1] + 1)
    return 100 * float(((precision * right).sum(1) / right.sum(1)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    kept_arrays = arrays(options.run, len(photos(options.data)))
    maps, cells = kept_arrays["maps"], kept_arrays["cells"]
    words, places = targets(options.data, options.run, cells)
    centre = torch.from_numpy(cells[::7].astype(np.float32).mean((0, 1, 2)))
    val = held_out(options.data)
    model = Trained()
    averaged = torch.optim.swa_utils.AveragedModel(model.tower, multi_avg_fn=_follow)
    learned = [value for value in model.parameters() if value.requires_grad]
    plain = [value for value in learned if value.dim() < 2]
    wide = [value for value in learned if value.dim() >= 2]
    optimiser = torch.optim.AdamW([{"params": wide, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0}], 1e-3)
    schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=options.steps, pct_start=0.06)
    state, begun = options.run / "image-state.pt", 0
    everything = {"model": model, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    if state.exists():
        saved = torch.load(state, weights_only=True)
        begun = saved["step"]
        for name, part in everything.items():
            part.load_state_dict(saved[name])
    size = min(BATCH, len(maps))
    for step in range(begun, options.steps):
        # A step's pictures and crops depend on its number alone: an interruption changes nothing.
        epoch, place = divmod(step, len(maps) // size)
        order = torch.randperm(len(maps), generator=torch.Generator().manual_seed(epoch))
        rows = order[place * size : (place + 1) * size].sort().values
        dice = torch.Generator().manual_seed(10_000 + step)
        early, late = (
            torch.from_numpy(part[rows.numpy()].astype(np.float32)).permute(0, 3, 1, 2) for part in (maps, cells)
        )
        few = step < (1 - WHOLE) * options.steps
        patches = torch.rand(size, 49, generator=dice).argsort(1)[:, :24] if few else None
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            loss, parts = loss_of(model, crops(early, late, dice), words[rows], places, centre, patches)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(model.tower)
        if (step + 1) % SAVE == 0 or step + 1 == options.steps:
            quality = average_precision(averaged.module, *val)
            print(json.dumps({"step": step + 1, **parts, "photos to photos": round(quality, 1)}), flush=True)
            torch.save(
                {"step": step + 1, **{name: part.state_dict() for name, part in everything.items()}},
                state.with_suffix(".new"),
            )
            state.with_suffix(".new").replace(state)
    tower = {f"image.{name}": value.contiguous() for name, value in averaged.module.state_dict().items()}
    save_file({**tower, "logit_scale": model.scale.detach()}, options.run / "image.safetensors")


def _follow(slow: list[Tensor], new: list[Tensor], count: Any) -> None:
    rate = 1 - min(0.998, (1 + float(count)) / (10 + float(count)))
    torch._foreach_lerp_(slow, new, rate)


if __name__ == "__main__":
    main()
