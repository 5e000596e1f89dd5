"""Train the image tower and the classes' places in the common space on cached early maps; resumes where it stopped.

    python pretraining/train_image.py CACHE RUN --steps 600

Class prototypes are ``normalize(meaning @ W + b + offset)``: W carries what a word means into the space of pictures,
the offset what the pictures of the class say beyond its name. At step 0 the tower is EfficientNet-Lite0 seen through
the principal axes of its classifier, and the 1,000 prototypes are the classifier's rows.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from early import FROZEN
from imagenet import class_synsets, lite0, synsets
from meaning import class_meanings
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, linear, log_softmax, normalize, pad, softmax

from sketchseek.clip.lite import SameConv, build_lite
from sketchseek.clip.towers import ImageTower

CONFIG: dict[str, Any] = {
    "model_type": "sketchseek-lite",
    "size": 256,
    "image": {"side": 224, "width": 256, "layers": 4, "heads": 4, "mlp_width": 512},
    "text": {"vocabulary": 6000, "context": 32, "width": 256, "layers": 3, "heads": 4, "mlp_width": 768},
}


def quick(self: SameConv, maps: Tensor) -> Tensor:
    """The same convolution, twice as fast in training on CPUs with bf16 units: pointwise as a matrix product."""
    conv = self.conv
    if conv.kernel_size == (1, 1):
        return linear(maps.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias).permute(0, 3, 1, 2)
    with torch.autocast(maps.device.type, enabled=False):
        out: Tensor = conv((maps if self.edges is None else pad(maps, self.edges)).float())
        return out


class Student(nn.Module):
    """What is trained: the tower (its early blocks apart), prototypes of all names, the temperatures."""

    def __init__(self, names: list[str], sample: Tensor) -> None:
        super().__init__()
        self.tower: ImageTower = build_lite(CONFIG)[0]
        stem, rows, _ = lite0(CONFIG["image"]["width"])
        rows = rows - rows.mean(0)
        axes = torch.linalg.svd(rows, full_matrices=False).Vh[: CONFIG["size"]]
        with torch.inference_mode():
            mean = stem.features(sample, FROZEN).mean((0, 2, 3))
        stem.to_width.weight.data, stem.to_width.bias.data = axes.clone(), -(axes @ mean.clone())
        stem.positions.data.normal_(std=0.02)
        self.tower.stem = stem.requires_grad_(True)
        for block in stem.blocks[:FROZEN]:
            block.requires_grad_(False)
        stem.first.requires_grad_(False)
        for layer in self.tower.stack:  # a transformer that does nothing yet
            for part in (layer.self_attn.out_proj, layer.mlp.fc2):
                nn.init.zeros_(part.weight)
                nn.init.zeros_(part.bias)
        nn.init.eye_(self.tower.projection.weight)

        words = synsets()
        meaning = class_meanings([words[synset] for synset in class_synsets()] + [[name] for name in names])
        places = normalize(rows @ axes.T, dim=1)
        known = meaning[:1000]
        centre = known.mean(0)
        gram = (known - centre).T @ (known - centre) + 2.0 * torch.eye(384)
        weight = torch.linalg.solve(gram, (known - centre).T @ places)
        self.register_buffer("meaning", meaning)
        self.to_places = nn.Linear(384, CONFIG["size"])
        self.to_places.weight.data, self.to_places.bias.data = weight.T.clone(), -(centre @ weight)
        offsets = torch.zeros(len(meaning), CONFIG["size"])
        offsets[:1000] = places - self.to_places(known).detach()
        self.offsets = nn.Parameter(offsets)
        self.scale = nn.Parameter(torch.tensor(2.8))
        self.pair_scale = nn.Parameter(torch.tensor(2.8))

    def prototypes(self) -> Tensor:
        """(1000 + names, size), unit rows: ImageNet's classes first."""
        return normalize(self.to_places(self.meaning) + self.offsets, dim=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Early maps (n, 80, 2g, 2g) -> unit embeddings (n, size)."""
        stem: Any = self.tower.stem
        features = stem.features(maps, FROZEN)
        patches = stem.to_width(features.flatten(2).transpose(1, 2))
        tokens = torch.cat((patches.mean(1, keepdim=True), patches), dim=1) + resized(stem.positions, features.shape[2])
        return normalize(self.tower.run(tokens).embedding.float(), dim=1)


def resized(positions: Tensor, grid: int) -> Tensor:
    """Positions of a 7 x 7 grid, CLS first -> those of a smaller grid."""
    if positions.shape[0] == 1 + grid * grid:
        return positions
    plane = positions[1:].T.reshape(1, -1, 7, 7)
    small = interpolate(plane, size=(grid, grid), mode="bilinear", align_corners=False)
    return torch.cat((positions[:1], small.flatten(2)[0].T))


class Batches:
    """Rows of the cache, mixed so that every loss finds its pairs."""

    def __init__(self, folder: Path, items: list[dict[str, Any]]) -> None:
        self.folder, self.items = folder, items
        self.photo_row = {item["source"]: row for row, item in enumerate(items) if item["kind"] == "photo"}
        self.refresh()

    def refresh(self) -> None:
        """Look which rows have been filled by now."""
        ready = np.load(self.folder / "ready.npy", mmap_mode="r")
        self.pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.by_class: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.quick: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"photo": [], "sketch": []})
        self.words: list[int] = []
        for row in np.flatnonzero(ready):
            item = self.items[row]
            if item["part"] != "train":
                continue
            if item["sort"] == "quickdraw":
                self.quick[item["name"]][item["kind"]].append(int(row))
            if item["kind"] == "word":
                self.words.append(int(row))
            elif item["kind"] != "photo" and item["about"]:
                photo = self.photo_row[item["about"]]
                if ready[photo]:
                    self.pairs[item["sort"]].append((int(row), photo))
                    if item["sort"] == "sketchy":
                        self.by_class[item["name"]].append((int(row), photo))

    def draw(self, dice: np.random.Generator) -> list[int]:
        """Rows of one batch of about 64."""
        pairs: list[tuple[int, int]] = []
        for name in dice.choice(sorted(self.by_class), 5, replace=False):
            some = self.by_class[name]
            pairs += [some[place] for place in dice.choice(len(some), min(3, len(some)), replace=False)]
        for sorts, count in ((("sketchy-lines", "quickdraw-lines", "photos-lines"), 2), (("shoes", "contours"), 1)):
            for sort in sorts:
                pairs += [self.pairs[sort][place] for place in dice.integers(0, len(self.pairs[sort]), count)]
        rows = [row for pair in pairs for row in pair]
        full = [name for name, both in self.quick.items() if both["photo"] and both["sketch"]]
        for name in dice.choice(full, 4, replace=False):
            rows += [int(dice.choice(self.quick[name][kind])) for kind in ("photo", "sketch")]
        rows += [int(row) for row in dice.choice(self.words, 10, replace=False)]
        return sorted(set(rows))


def losses(
    student: Student, embeddings: Tensor, rows: list[int], items: list[dict[str, Any]], labels: Tensor, teacher: Tensor
) -> dict[str, Tensor]:
    """Names, distillation, pairs and classes across photo and drawing, each a mean over those it concerns.

    ``labels`` (n,): the prototype of each picture's class or -1. ``teacher`` (n, 1000): ImageNet logits of the picture
    or of the photo it shows; rows of NaN where there are none.
    """
    prototypes, scale = student.prototypes(), student.scale.exp()
    logits = scale * embeddings @ prototypes.T
    told = labels >= 0
    named = cross_entropy(logits[told][:, 1000:], labels[told] - 1000, label_smoothing=0.05)

    taught = ~teacher[:, 0].isnan()
    is_photo = torch.tensor([items[row]["kind"] == "photo" for row in rows])
    share = torch.where(is_photo, 1.0, 0.5)[taught]
    target = softmax(teacher[taught], dim=1)
    guess = log_softmax(logits[taught][:, :1000], dim=1)
    distilled = ((target * (target.clamp_min(1e-8).log() - guess)).sum(1) * share).mean()

    photos = is_photo.nonzero()[:, 0]
    place = {items[rows[int(photo)]]["source"]: number for number, photo in enumerate(photos)}
    drawings = [n for n, row in enumerate(rows) if not is_photo[n] and items[row]["about"] in place]
    partner = torch.tensor([place[items[rows[n]]["about"]] for n in drawings])
    likeness = student.pair_scale.exp() * embeddings[drawings] @ embeddings[photos].T
    shown = photos[partner]
    back = student.pair_scale.exp() * embeddings[shown] @ embeddings[drawings].T
    same_photo = partner[:, None] == partner[None]  # several drawings of one photo are no negatives
    back = back.masked_fill(same_photo & ~torch.eye(len(drawings), dtype=torch.bool), -1e4)
    paired = (cross_entropy(likeness, partner) + cross_entropy(back, torch.arange(len(drawings)))) / 2

    sketches = torch.tensor([n for n in range(len(rows)) if not is_photo[n] and told[n]])
    alike = labels[sketches][:, None] == labels[photos][None]
    some = alike.any(1)
    chance = log_softmax(student.pair_scale.exp() * embeddings[sketches[some]] @ embeddings[photos].T, dim=1)
    crossed = -(chance * alike[some]).sum(1) / alike[some].sum(1)
    return {"named": named, "distilled": distilled, "paired": paired, "crossed": 0.5 * crossed.mean()}


def read_maps(maps: np.ndarray, rows: list[int]) -> Tensor:
    """Cached rows -> (n, 80, 2g, 2g) float, channels last in memory."""
    return torch.from_numpy(np.asarray(maps[rows])).view(torch.bfloat16).float().permute(0, 3, 1, 2)


def retrieval(embeddings: np.ndarray, rows: list[int], items: list[dict[str, Any]]) -> dict[str, float]:
    """mAP@all and acc@1 within the class on the validation rows of ``sketchy`` that are ready."""
    kinds = np.array([items[row]["kind"] for row in rows])
    names = np.array([items[row]["name"] for row in rows])
    photo, sketch = np.flatnonzero(kinds == "photo"), np.flatnonzero(kinds == "sketch")
    scores = embeddings[sketch] @ embeddings[photo].T
    relevant = names[sketch][:, None] == names[photo][None]
    ranked = np.take_along_axis(relevant, np.argsort(-scores, axis=1), axis=1)
    precision = ranked.cumsum(1) / np.arange(1, ranked.shape[1] + 1)
    mean_ap = ((precision * ranked).sum(1) / ranked.sum(1)).mean()
    own = np.array([[items[rows[s]]["about"] == items[rows[p]]["source"] for p in photo] for s in sketch])
    best = np.where(relevant, scores, -2).argmax(1)
    there = own.any(1)
    return {"map": float(mean_ap), "acc1": float(own[np.arange(len(sketch)), best][there].mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    SameConv.forward = quick  # type: ignore[method-assign]
    items: list[dict[str, Any]] = json.loads((options.cache / "items.json").read_text())
    maps = np.load(options.cache / "maps.npy", mmap_mode="r")
    logits = np.load(options.cache / "teacher.npy", mmap_mode="r")
    names = sorted({item["name"] for item in items if item["name"] and item["part"] == "train"})
    label = {name: 1000 + number for number, name in enumerate(names)}
    batches = Batches(options.cache, items)
    ready = np.load(options.cache / "ready.npy", mmap_mode="r")
    photos = [row for row, item in enumerate(items) if item["kind"] == "photo" and ready[row]][:256]
    student = Student(names, read_maps(maps, photos))
    stem: Any = student.tower.stem
    slow = [p for p in stem.parameters() if p.requires_grad]
    slow_ids = {id(p) for p in slow}
    places = [*student.to_places.parameters()]
    others = [p for p in student.tower.parameters() if p.requires_grad and id(p) not in slow_ids]
    groups = [
        {"params": slow, "lr": 3e-4, "weight_decay": 1e-4},
        {"params": others, "lr": 8e-4, "weight_decay": 1e-2},
        {"params": places, "lr": 2e-4, "weight_decay": 0.0},
        {"params": [student.offsets], "lr": 2e-3, "weight_decay": 2e-2},
        {"params": [student.scale, student.pair_scale], "lr": 2e-3, "weight_decay": 0.0},
    ]
    peaks = [group["lr"] for group in groups]
    optimiser = torch.optim.AdamW(groups)
    averaged = {name: value.clone() for name, value in student.state_dict().items()}
    step = 0
    options.run.mkdir(parents=True, exist_ok=True)
    state_file = options.run / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        student.load_state_dict(state["student"])
        optimiser.load_state_dict(state["optimiser"])
        averaged, step = state["averaged"], state["step"]
    (options.run / "names.json").write_text(json.dumps(names))

    def save() -> None:
        state = {
            "student": student.state_dict(),
            "optimiser": optimiser.state_dict(),
            "averaged": averaged,
            "step": step,
        }
        torch.save(state, state_file.with_suffix(".new"))
        state_file.with_suffix(".new").replace(state_file)

    def validate() -> dict[str, float]:
        ready = np.load(options.cache / "ready.npy", mmap_mode="r")
        rows = [r for r, i in enumerate(items) if i["part"] == "val" and i["sort"] == "sketchy" and ready[r]]
        held = {name: value.clone() for name, value in student.state_dict().items()}
        student.load_state_dict(averaged)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            vectors = torch.cat([student(read_maps(maps, rows[at : at + 64])) for at in range(0, len(rows), 64)])
        student.load_state_dict(held)
        return {**retrieval(vectors.numpy(), rows, items), "pictures": len(rows)}

    print(json.dumps({"step": step, **validate()}), flush=True)
    started, smooth = time.time(), defaultdict(float)
    while step < options.steps:
        dice = np.random.default_rng((options.seed, step))
        if step % 20 == 0:
            batches.refresh()
        rows = batches.draw(dice)
        progress = step / options.steps
        factor = min(1.0, (step + 1) / 30) * (0.5 + 0.5 * float(np.cos(np.pi * progress)))
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        teacher = torch.full((len(rows), 1000), float("nan"))
        for number, row in enumerate(rows):
            source = batches.photo_row.get(items[row]["about"] or "")
            if source is not None:
                teacher[number] = torch.from_numpy(logits[source].astype(np.float32))
        labels = torch.tensor([label.get(items[row]["name"], -1) for row in rows])
        with torch.autocast("cpu", torch.bfloat16):
            embeddings = student(read_maps(maps, rows))
        parts = losses(student, embeddings, rows, items, labels, teacher)
        loss = torch.stack(list(parts.values())).sum()
        if not loss.isfinite():
            raise SystemExit(f"step {step}: the loss is {loss.item()}")
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimiser.step()
        step += 1
        decay = min(0.99, (1 + step) / (10 + step))
        for name, value in student.state_dict().items():
            averaged[name].lerp_(value, 1 - decay) if value.is_floating_point() else averaged[name].copy_(value)
        for name, part in parts.items():
            smooth[name] += part.item() / 20
        if step % 20 == 0:
            told = {name: round(value, 3) for name, value in smooth.items()}
            print(json.dumps({"step": step, "seconds": round(time.time() - started), **told}), flush=True)
            smooth.clear()
        if step % 100 == 0 or step == options.steps:
            save()
            print(json.dumps({"step": step, **validate()}), flush=True)


if __name__ == "__main__":
    main()
