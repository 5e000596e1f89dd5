"""Predict where people would draw lines over a photo: a small head on the ImageNet network, trained on drawn contours.

    python pretraining/contours.py DATA contours.pt

Edges of brightness follow texture and shade; people draw the outlines of things. The network's maps tell them apart.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from imagenet import STEM, imagenet_network
from material import PHOTOS, Item, list_items
from PIL import Image
from scipy.ndimage import maximum_filter
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, relu, relu6

from sketchseek.clip.lite import stages_of
from sketchseek.pictures import load_photo, normalise

SIDE, STEPS, BATCH, THIN = 224, 500, 8, 16
STAGES = (0, 1, 2, 3, 4, 6)  # of the stem, whose output is looked at
DRAWN = 5.0  # weight of a pixel on a contour


def taken() -> dict[int, int]:
    """The last block of each stage that is looked at -> its channels."""
    stages = stages_of(STEM)
    return {sum(count for count, *_ in stages[: n + 1]) - 1: stages[n][-1] for n in STAGES}


class Contours(nn.Module):
    """Pixels (n, 3, side, side) -> logits (n, side / 2, side / 2) of a contour there."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = imagenet_network()[0].to(memory_format=torch.channels_last)
        self.thin = nn.ModuleDict({str(block): nn.Conv2d(channels, THIN, 1) for block, channels in taken().items()})
        self.look = nn.Conv2d(THIN * len(STAGES), 32, 3, padding=1)
        self.last = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Also the stem's features (n, 1280, side / 32, side / 32)."""
        size, found = pixels.shape[2] // 2, []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            maps: Tensor = relu6(self.stem.first(pixels))
            looked = {}
            for number, block in enumerate(self.stem.blocks):
                maps = block(maps)
                if str(number) in self.thin:
                    looked[number] = maps.clone()
            features = relu6(self.stem.head(maps))
        with torch.autocast("cpu", torch.bfloat16):
            for number, maps in looked.items():
                thin = self.thin[str(number)](maps)
                found.append(interpolate(thin, size=(size, size), mode="bilinear", align_corners=False))
            out: Tensor = self.last(relu(self.look(torch.cat(found, dim=1))))
        return out[:, 0].float(), features.float()


class Tracer:
    """Photos -> where people would draw lines, and where the main object is."""

    def __init__(self, file: Path) -> None:
        self.model = Contours().eval()
        self.model.load_state_dict(torch.load(file, weights_only=True), strict=False)
        _, self.classifier, self.bias = imagenet_network()

    def __call__(self, photos: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (side, side, 3) each -> float32 (n, side / 2, side / 2) and (n, side / 32, side / 32), 0 to 1.

        The object is where the features are that ImageNet's classifier uses.
        """
        pixels = torch.from_numpy(normalise(np.stack(photos), PHOTOS)).to(memory_format=torch.channels_last)
        with torch.no_grad():
            lines, features = self.model(pixels)
            chances, classes = (features.mean((2, 3)) @ self.classifier.T + self.bias).softmax(1).topk(5)
            found = torch.einsum("nchw,nkc,nk->nhw", features, self.classifier[classes], chances)
            low, high = (found.amin((1, 2), keepdim=True), found.amax((1, 2), keepdim=True))
            return lines.sigmoid().numpy(), ((found - low) / (high - low).clamp_min(1e-6)).numpy()


def cut(photo: Image.Image, drawn: Image.Image, dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same random square of a photo, at SIDE px, and of its contours, at half of that, sometimes mirrored."""
    width, height = photo.size
    side = dice.uniform(0.55, 1.0) * min(width, height)
    left, top = dice.uniform(0, width - side), dice.uniform(0, height - side)
    box = (left, top, left + side, top + side)
    pixels = np.asarray(photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))
    wider = drawn.width / width
    place = tuple(min(edge * wider, limit) for edge, limit in zip(box, drawn.size * 2, strict=True))
    lines = drawn.resize((SIDE // 2,) * 2, Image.Resampling.BOX, box=place)
    lines = np.asarray(lines, np.float32) / 255
    if dice.random() < 0.5:
        pixels, lines = pixels[:, ::-1], lines[:, ::-1]
    return pixels, lines


def pairs(root: Path) -> list[tuple[Image.Image, Image.Image]]:
    """Training photos, and the share of annotators who drew a line at a pixel, 0 to 255, slightly widened."""
    drawings: dict[str, list[Item]] = {}
    for item in list_items(root):
        if item.sort == "contours" and item.kind == "sketch":
            drawings.setdefault(str(item.about), []).append(item)
    found = []
    for photo, items in drawings.items():
        inks = [255 - np.asarray(Image.open(root / item.source).convert("L")) for item in items]
        agreed = np.mean([maximum_filter(ink, size=3) for ink in inks], axis=0)
        found.append((Image.fromarray(load_photo(root / photo)), Image.fromarray(agreed.astype(np.uint8))))
    return found


def main() -> None:
    root, file = Path(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(0)
    dice = np.random.default_rng(0)
    model, known = Contours(), pairs(root)
    head = [p for name, p in model.named_parameters() if not name.startswith("stem")]
    optimiser = torch.optim.AdamW(head, lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=STEPS, pct_start=0.1)
    mean = 0.0
    for step in range(STEPS):
        cuts = [cut(*known[dice.integers(len(known))], dice) for _ in range(BATCH)]
        pixels = torch.from_numpy(normalise(np.stack([p for p, _ in cuts]), PHOTOS))
        lines = torch.from_numpy(np.stack([line for _, line in cuts])) * 1.6
        logits, _ = model(pixels.to(memory_format=torch.channels_last))
        loss = binary_cross_entropy_with_logits(logits, lines.clamp_max(1), weight=1 + (DRAWN - 1) * lines)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        mean += loss.item() / 50
        if step % 50 == 49:
            print(json.dumps({"step": step + 1, "loss": round(mean, 3)}), flush=True)
            mean = 0.0
    torch.save({name: p for name, p in model.state_dict().items() if not name.startswith("stem")}, f"{file}.new")
    Path(f"{file}.new").replace(file)


if __name__ == "__main__":
    main()
