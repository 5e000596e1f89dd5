"""Train the image tower and the places of classes in the common space on filled passes; resumes where it stopped.

    python pretraining/train_image.py RUN CACHE/224-0 CACHE/224-1 CACHE/224-2 --steps 240

Passes take turns, step by step. Batches depend only on the seed and the step. If started several times with
``WORLD_SIZE`` and ``RANK`` set, single-threaded processes share each batch: on a CPU that is about twice as fast as
threads, with the same gradients.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from batches import Batches
from evaluate import ahead_of_own, average_precision, interval
from imagenet import STEM
from losses import Batch, crossed, distilled, kept, named, paired
from quick import use_quick_convolutions
from student import HELD_BACK, LAYOUT, WHAT, Student
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize

from sketchseek.clip.lite import stages_of
from sketchseek.parallel import batches

Items = list[dict[str, Any]]
SLOW_STAGES = 4  # of the stem, which learn at half the others' rate
EARLY = tuple(f"blocks.{number}." for number in range(sum(count for count, *_ in stages_of(STEM)[:SLOW_STAGES])))
AVERAGE = 0.99  # decay per step of the averaged weights, which ship
WEIGHTS = {"named": 1.0, "distilled": 2.0, "kept": 6.0, "paired": 1.0, "within": 1.0, "crossed": 0.5}
SHIFT = 2  # cells of the early maps by which a picture is moved at most

# What an ablation can omit from the batches.
ROWS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "lines": lambda item: item["kind"] == "line",
    "quickdraw": lambda item: item["sort"] in ("quickdraw", "quickdraw-lines", "words"),
}


class Maps:
    """One pass of the cache: the output of the frozen blocks, and the ImageNet network's features of photos."""

    def __init__(self, folder: Path) -> None:
        self.items: Items = json.loads((folder / "items.json").read_text())
        self.maps, self.pooled, self.ready = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("maps", "pooled", "ready")
        )

    def read(self, rows: list[int], step: int | None = None) -> Tensor:
        """(n, CHANNELS, side / STRIDE, side / STRIDE) in bf16, channels last in memory.

        Moved a little for a training ``step``. (Maps cannot be mirrored: channels for left edges miss right ones.)
        """
        maps = [self.maps[row] for row in rows]
        if step is not None:
            maps = [self._moved(row, step) for row in rows]
        return torch.from_numpy(np.stack(maps)).view(torch.bfloat16).permute(0, 3, 1, 2)

    def _moved(self, row: int, step: int) -> np.ndarray:
        grid = self.maps.shape[1]
        down, across = np.random.default_rng((step, row)).integers(-SHIFT, SHIFT + 1, 2)
        lines, columns = (np.clip(np.arange(grid) + by, 0, grid - 1) for by in (down, across))
        moved: np.ndarray = self.maps[row][lines[:, None], columns[None]]
        return moved

    def features(self, rows: list[int]) -> Tensor:
        """(n, 1280) of photos."""
        return torch.from_numpy(np.stack([self.pooled[row] for row in rows]).astype(np.float32))


def described(student: Student, cache: Maps, rows: list[int], blocks: list[int], labels: dict[str, int]) -> Batch:
    """All facts about the rows of a batch."""
    items = [cache.items[row] for row in rows]
    index = {item["source"]: number for number, item in enumerate(items) if item["kind"] == "photo"}
    shown = torch.tensor([index.get(item["about"] or "", -1) for item in items])
    pooled = torch.zeros(len(rows), 1280)
    photos = sorted(index.values())
    pooled[photos] = cache.features([rows[number] for number in photos])
    teacher, start = student.teach(pooled[shown])
    return Batch(
        photo=torch.tensor([item["kind"] == "photo" for item in items]),
        label=torch.tensor([labels.get(item["name"] or "", -1) for item in items]),
        block=torch.tensor(blocks),
        shown=shown,
        teacher=teacher,
        place=start,
    )


class Shares:
    """The processes that share a batch: each computes its rows, and all get all embeddings."""

    def __init__(self) -> None:
        self.count, self.number = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.count > 1:
            dist.init_process_group("gloo")

    def cut(self, rows: list[int]) -> list[int]:
        """This process's rows of a batch, whose length must be divisible by the count."""
        size = len(rows) // self.count
        return rows[self.number * size : (self.number + 1) * size]

    def gathered(self, embeddings: Tensor) -> Tensor:
        """The embeddings of all processes (n, size); only those of this process have a gradient."""
        if self.count == 1:
            return embeddings
        parts = [torch.empty_like(embeddings) for _ in range(self.count)]
        dist.all_gather(parts, embeddings.detach().contiguous())
        parts[self.number] = embeddings
        return torch.cat(parts)

    def add_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Sum the gradients of all processes, each of which only saw its own rows."""
        if self.count > 1:
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))  # the fused optimiser fails on views of a longer tensor


def losses(student: Student, found: Tensor, batch: Batch) -> dict[str, Tensor]:
    """``found``: embeddings (n, size), not normalised. The loss within classes does not change the class part."""
    embeddings = normalize(found[:, :WHAT], dim=1)
    whole = normalize(torch.cat((found[:, :WHAT].detach(), found[:, WHAT:]), dim=1), dim=1)
    logits = student.scale.exp() * embeddings @ student.prototypes().T
    names = Batch(*batch)._replace(label=torch.where(batch.label >= 0, batch.label - 1000, -1))
    return {
        "named": named(logits[:, 1000:], names),
        "distilled": distilled(logits[:, :1000], batch),
        "kept": kept(embeddings, batch),
        "paired": paired(embeddings, batch, student.pair_scale, within=False),
        "within": paired(whole, batch, student.near_scale, within=True),
        "crossed": crossed(embeddings, batch, student.pair_scale),
    }


def found_by(embeddings: np.ndarray, items: Items) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Drawings to photos: mAP@all, and within the class acc@1, acc@5; photos to photos.

    For each, the value of every query, and the photo that it shows.
    """
    kinds, names = (np.array([item[what] for item in items]) for what in ("kind", "name"))
    photo, sketch = np.flatnonzero(kinds == "photo"), np.flatnonzero(kinds == "sketch")
    scores, alike = (embeddings[rows] @ embeddings[photo].T for rows in (sketch, photo))
    relevant, same = (names[rows][:, None] == names[photo][None] for rows in (sketch, photo))
    index = {items[p]["source"]: number for number, p in enumerate(photo)}
    own = np.array([index[items[s]["about"]] for s in sketch])
    ahead = ahead_of_own(scores, relevant, own)
    np.fill_diagonal(alike, -2)
    np.fill_diagonal(same, False)
    return {
        "map": (average_precision(scores, relevant), own),
        "acc1": ((ahead < 1).astype(float), own),
        "acc5": ((ahead < 5).astype(float), own),
        "photos": (average_precision(alike, same), np.arange(len(photo))),
    }


def retrieval(embeddings: np.ndarray, items: Items) -> dict[str, list[float]]:
    """The means of ``found_by``, each with its 95% interval."""
    return {name: list(interval(*part).values()) for name, part in found_by(embeddings, items).items()}


class Run:
    """The student, its optimiser and its averaged weights, kept in one file."""

    def __init__(self, folder: Path, student: Student, shares: Shares, steps: int) -> None:
        self.file, self.student, self.shares, self.step, self.steps = folder / "state.pt", student, shares, 0, steps
        stem: Any = student.tower.stem
        known = [
            (name, p)
            for name, p in stem.named_parameters()
            if p.requires_grad and name != "positions" and not name.startswith("layout")
        ]
        early = [(name, p) for name, p in known if name.startswith(EARLY)]
        late = [(name, p) for name, p in known if not name.startswith(EARLY)]
        slow = {id(p) for _, p in known}
        rest = [p for p in student.tower.parameters() if p.requires_grad and id(p) not in slow]
        groups: list[dict[str, Any]] = [
            {"params": [p for _, p in early], "lr": 1.5e-4, "weight_decay": 1e-4},
            {"params": [p for _, p in late], "lr": 3e-4, "weight_decay": 1e-4},
            {"params": rest, "lr": 1e-3, "weight_decay": 1e-2},
            {"params": list(student.to_places.parameters()), "lr": 2e-4, "weight_decay": 0.0},
            {"params": [student.offsets], "lr": 2e-3, "weight_decay": 2e-2},
            {"params": [student.scale, student.pair_scale, student.near_scale], "lr": 2e-3, "weight_decay": 0.0},
        ]
        self.peaks = [group["lr"] for group in groups]
        self.optimiser = torch.optim.AdamW(groups, fused=True)
        self.trained = {name: p for name, p in student.named_parameters() if p.requires_grad}
        self.averaged = {name: p.detach().clone() for name, p in self.trained.items()}
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            if state["steps"] != steps:  # the rate follows a cosine over the whole length
                raise SystemExit(f"{folder} is a run of {state['steps']} steps, not {steps}; delete it or name another")
            student.load_state_dict(state["student"], strict=False)
            self.optimiser.load_state_dict(state["optimiser"])
            self.averaged, self.step = state["averaged"], state["step"]
        elif shares.number == 0:
            torch.save(self.averaged, folder / "start.pt")

    def descend(self, loss: Tensor) -> None:
        """One step of a cosine to zero, after a short rise; the averaged weights follow."""
        factor = min(1.0, (self.step + 1) / 40) * (0.5 + 0.5 * float(np.cos(np.pi * self.step / self.steps)))
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        self.optimiser.zero_grad()
        loss.backward()
        self.shares.add_gradients([p for p in self.student.tower.parameters() if p.requires_grad])
        nn.utils.clip_grad_norm_(self.trained.values(), 5.0)
        self.optimiser.step()
        self.step += 1
        decay = min(AVERAGE, self.step / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.values()), list(self.trained.values()), 1 - decay)

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(),
            "averaged": self.averaged,
            "step": self.step,
            "steps": self.steps,
        }
        torch.save({**state, "optimiser": self.optimiser.state_dict()}, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").replace(self.file)

    def validate(self, cache: Maps) -> dict[str, dict[str, list[float]]]:
        """Measure the averaged weights on ``sketchy``'s validation classes, as they would ship and in variants."""
        rows = [r for r, i in enumerate(cache.items) if i["part"] == "val" and i["sort"] == "sketchy"]
        held = {name: p.detach().clone() for name, p in self.trained.items()}
        start = torch.load(self.file.with_name("start.pt"), weights_only=True)
        figures = {}
        for name, back in (("as it ships", HELD_BACK), ("not held back", 0.0)):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                for key, p in self.trained.items():
                    p.copy_(self.averaged[key].lerp(start[key], back))
                found = torch.cat([self.student(cache.read(batch)) for _, batch in batches(rows, 64)])
            found[:, WHAT:] *= LAYOUT
            for more, part in (("", found), (", no layout", found[:, :WHAT])):
                figures[name + more] = retrieval(normalize(part, dim=1).numpy(), [cache.items[row] for row in rows])
        with torch.no_grad():
            torch._foreach_copy_(list(self.trained.values()), list(held.values()))
        return figures


def named_in_training(item: dict[str, Any]) -> bool:
    """Whether the class of an item is learned: not those with only a few photos and no drawing."""
    return item["part"] == "train" and item["sort"].removesuffix("-lines") not in ("mixed", "products")


def trained_photos(cache: Maps) -> list[int]:
    """Rows of a pass that are photos to train on."""
    return [n for n, i in enumerate(cache.items) if i["kind"] == "photo" and i["part"] == "train" and cache.ready[n]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("passes", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="+", choices=[*WEIGHTS, *ROWS, "transformer"], default=[], help="to ablate")
    options = parser.parse_args()
    torch.manual_seed(0)  # all seeds share their initial weights, so that trained weights can be averaged
    torch.set_num_threads(1)
    use_quick_convolutions()
    weights = {name: 0.0 if name in options.without else weight for name, weight in WEIGHTS.items()}
    passes = [Maps(folder) for folder in options.passes]
    cache = passes[0]
    names = sorted({item["name"] for item in cache.items if item["name"] and named_in_training(item)})
    labels = {name: 1000 + number for number, name in enumerate(names)}
    samplers = [Batches(maps.items, maps.ready) for maps in passes]
    photos = trained_photos(cache)
    centre = [photos[n] for n in np.random.default_rng(0).permutation(len(photos))[:2000]]
    student = Student(names, cache.features(centre))
    if "transformer" in options.without:
        student.tower.layers.requires_grad_(False)
    options.run.mkdir(parents=True, exist_ok=True)
    (options.run / "names.json").write_text(json.dumps(names))
    shares = Shares()
    run = Run(options.run, student, shares, options.steps)

    def report(values: Mapping[str, Any]) -> None:
        if shares.number == 0:
            print(json.dumps({"step": run.step, **values}), flush=True)

    started, smooth = time.time(), defaultdict(float)
    while run.step < options.steps:
        turn = run.step % len(passes)
        dice = np.random.default_rng((options.seed, run.step))
        rows, blocks = samplers[turn].draw(dice)
        for omitted in (ROWS[name] for name in options.without if name in ROWS):
            stay = [n for n, row in enumerate(rows) if not omitted(cache.items[row])]
            rows, blocks = [rows[n] for n in stay], [blocks[n] for n in stay]
        rest = len(rows) % shares.count
        rows, blocks = rows[rest:], blocks[rest:]
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            embeddings = student(passes[turn].read(shares.cut(rows), run.step))
        parts = losses(student, shares.gathered(embeddings), described(student, passes[turn], rows, blocks, labels))
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        if not loss.isfinite():
            raise SystemExit(f"step {run.step}: the loss is {loss.item()}")
        run.descend(loss)
        for name, part in parts.items():
            smooth[name] += part.item() / 20
        if run.step % 20 == 0:
            report({"seconds": round(time.time() - started), **{name: round(part, 3) for name, part in smooth.items()}})
            smooth.clear()
        if shares.number == 0 and run.step % 50 == 0 and run.step < options.steps:
            run.save()
            report(run.validate(cache))
    if shares.number == 0:
        run.save()
        figures = run.validate(cache)
        report(figures)
        (options.run / "figures.new").write_text(json.dumps(figures))
        (options.run / "figures.new").replace(options.run / "figures.json")


if __name__ == "__main__":
    main()
