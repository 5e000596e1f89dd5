"""The trained model: the image tower, the places of all class names in the common space, the temperatures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from early import FROZEN
from imagenet import STEM, class_synsets, imagenet_network, synsets
from meaning import class_meanings
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from sketchseek.clip.lite import build_lite
from sketchseek.clip.towers import ImageTower

CONFIG: dict[str, Any] = {
    "model_type": "sketchseek-lite",
    "size": 320,
    "image": {"stem": STEM, "side": 224, "width": 320, "layout": 64, "layers": 4, "heads": 4, "mlp_width": 384},
    "text": {"vocabulary": 4000, "context": 32, "width": 256, "layers": 3, "heads": 4, "mlp_width": 512},
}
# The first numbers of an embedding encode what a picture shows, the others its layout: with one vector for both, what
# separates photos of one class would work against what brings them together.
WHAT = CONFIG["size"] - CONFIG["image"]["layout"]

# Weights between the initial and the trained ones are better on new classes than either. The layout helps to separate
# photos of one class, and hurts slightly between classes. Both numbers were chosen on validation classes.
HELD_BACK, LAYOUT = 0.2, 0.5
SEEDS = (0, 1, 2)  # the shipped weights are the mean of these runs, which cancels the peculiarities of each


class Student(nn.Module):
    """Class prototypes are ``normalize(meaning @ W + b + offset)``: W maps the meaning of a word into the space of
    pictures, the offset adds what pictures of the class show beyond its name.

    Initially the tower is the ImageNet network projected to the principal axes of its classifier, and the first 1,000
    prototypes are the classifier's rows. ``pooled``: features (n, 1280) of photos, to centre the space.
    """

    def __init__(self, names: list[str], pooled: Tensor) -> None:
        super().__init__()
        self.tower: ImageTower = build_lite(CONFIG)[0]
        stem, rows, bias = imagenet_network(CONFIG["image"]["width"])
        self.register_buffer("classifier", rows.clone(), persistent=False)
        self.register_buffer("classifier_bias", bias.clone(), persistent=False)
        rows = rows - rows.mean(0)
        axes = torch.linalg.svd(rows, full_matrices=False).Vh[: CONFIG["size"]].contiguous()
        mean = pooled.mean(0)
        stem.to_width.weight.data, stem.to_width.bias.data = axes.clone(), -(axes @ mean)
        patches = (pooled - mean) @ axes.T
        axes = axes[:WHAT].contiguous()
        self.register_buffer("axes", axes)
        self.register_buffer("mean", mean)
        stem.positions.data[1:] = patches.std() * plane_waves(7, CONFIG["image"]["width"])
        stem.layout.out.weight.data.mul_(3)  # as large as the rest
        self.tower.stem = stem.requires_grad_(True)
        for part in (stem.first, *stem.blocks[:FROZEN]):
            part.requires_grad_(False)
        for block in stem.blocks:
            block.depthwise.conv.weight.requires_grad_(False)
        for layer in self.tower.stack:  # initially the transformer has no effect
            for last in (layer.self_attn.out_proj, layer.mlp.fc2):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
        nn.init.eye_(self.tower.projection.weight)

        words = synsets()
        meaning = class_meanings([words[synset] for synset in class_synsets()] + [[name] for name in names])
        places = normalize(rows @ axes.T, dim=1)
        known = meaning[:1000]
        centre = known.mean(0)
        gram = (known - centre).T @ (known - centre) + 2.0 * torch.eye(384)
        weight = torch.linalg.solve(gram, (known - centre).T @ places)
        self.register_buffer("meaning", meaning)
        self.to_places = nn.Linear(384, WHAT)
        self.to_places.weight.data, self.to_places.bias.data = weight.T.clone(), -(centre @ weight)
        offsets = torch.zeros(len(meaning), WHAT)
        offsets[:1000] = places - self.to_places(known).detach()
        self.offsets = nn.Parameter(offsets)
        # Logarithms of 1/temperature: for names, for pairs, for pairs within a class.
        self.scale = nn.Parameter(torch.tensor(2.8))
        self.pair_scale = nn.Parameter(torch.tensor(2.8))
        self.near_scale = nn.Parameter(torch.tensor(3.2))

    def prototypes(self) -> Tensor:
        """(1000 + names, WHAT), unit rows: ImageNet's classes first."""
        return normalize(self.to_places(self.meaning) + self.offsets, dim=1)

    def teach(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features (n, 1280) of the ImageNet network -> its logits (n, 1000), and unit places (n, WHAT)."""
        logits = pooled @ self.classifier.T + self.classifier_bias
        return logits, normalize((pooled - self.mean) @ self.axes.T, dim=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Early maps (n, CHANNELS, side / STRIDE, side / STRIDE) -> embeddings (n, size), not normalised."""
        stem: Any = self.tower.stem
        features, middle = stem.features(maps, FROZEN)
        if middle.shape[2] != 14:  # from a smaller side, in an ablation
            middle = interpolate(middle, size=(14, 14), mode="bilinear", align_corners=False)
        tokens = stem.tokens(features, middle, resized(stem.positions, features.shape[2]))
        return self.tower.run(tokens).embedding.float()


def seed_folder(run: Path, seed: int) -> Path:
    """The folder of the training with one seed."""
    return run / f"seed-{seed}"


def names_of(run: Path) -> list[str]:
    """The trained classes, in the order of their prototypes."""
    names: list[str] = json.loads((seed_folder(run, SEEDS[0]) / "names.json").read_text(encoding="utf-8"))
    return names


def trained(
    run: Path, held_back: float = HELD_BACK, layout: float = LAYOUT, seeds: Sequence[int] = SEEDS
) -> dict[str, Tensor]:
    """The final weights: the mean of all seeds, moved back a little towards the initial ones; and frozen weights."""
    return held_back_weights([seed_folder(run, seed) for seed in seeds], held_back, layout)


def shipped(run: Path, layout: float = LAYOUT) -> dict[str, Tensor]:
    """The same with the layout that ``train_layout.py`` trained further."""
    seen = load_file(run / "layout.safetensors")
    return {**trained(run, layout=layout), **{f"tower.stem.layout.{name}": value for name, value in seen.items()}}


def held_back_weights(
    folders: Sequence[Path], held_back: float = HELD_BACK, layout: float = LAYOUT
) -> dict[str, Tensor]:
    """The same for any runs with the same initial weights."""
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in folders]
    start = torch.load(folders[0] / "start.pt", weights_only=True)
    means = {name: torch.stack([state["averaged"][name] for state in states]).mean(0) for name in start}
    shipped = {name: mean.lerp(start[name], held_back) for name, mean in means.items()}
    shipped["tower.projection.weight"][WHAT:] *= layout
    return {**states[0]["student"], **shipped}


def plane_waves(grid: int, width: int) -> Tensor:
    """The position of each cell of a grid as sines and cosines of rows and columns: (grid * grid, width)."""
    places = (torch.arange(grid) + 0.5) / grid
    waves = torch.pi * torch.arange(1, width // 4 + 1).remainder(6).add(1) * places[:, None]
    line = torch.cat((waves.sin(), waves.cos()), dim=1)
    rows, columns = line[:, None].expand(-1, grid, -1), line[None].expand(grid, -1, -1)
    mixed = torch.cat((rows, columns), dim=2).flatten(0, 1)
    turn = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(0))).Q
    return mixed @ turn


def resized(positions: Tensor, grid: int) -> Tensor:
    """Positions of a 7 x 7 grid, CLS first -> those of a smaller grid."""
    if positions.shape[0] == 1 + grid * grid:
        return positions
    plane = positions[1:].T.reshape(1, -1, 7, 7)
    small = interpolate(plane, size=(grid, grid), mode="bilinear", align_corners=False)
    return torch.cat((positions[:1], small.flatten(2)[0].T))
