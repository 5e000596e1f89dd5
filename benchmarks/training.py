"""A training step of CLIP-AT at ViT-B/32 size, written the straightforward way and ours, side by side in one run.

    python benchmarks/training.py [--batch 8] [--rounds 3] [--threads 1] [--layers 12]

All steps compute the same loss (category level: triplets, and classification of sketch and photo over 104 class names),
train the same prompts and LayerNorms with Adam, and start from the same random weights. The straightforward ones run
transformers' own CLIP: a forward pass for sketches, one for positives, one for negatives.

* everything: no weight is marked as frozen, only the optimiser knows what is trained; texts are read once, or in
  each step
* as released: the freezing that CLIP-AT's released code does, which forgets queries, keys, values, embeddings and the
  projection
* frozen: all that is not trained is frozen

Each runs in a process of its own, so that its peak memory is its own; the processes take turns, step by step, so that a
busy machine slows all alike.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel

from sketchseek.clip.backbone import Backbone, build_clip
from sketchseek.clip.layouts import to_ours
from sketchseek.clip.texts import Texts, TextTokenizer
from sketchseek.methods.clip_at import ClipAt, ClipAtOptions
from sketchseek.methods.method import Batch, Clock
from sketchseek.pictures import Preprocessing

CLASSES = 104
TEXT_LENGTH = 8  # tokens of "a photo of a cat", SOS and EOS included
CONTEXT = 77
EOS = 49_407
KINDS = ("everything, texts every step", "everything", "as released", "frozen", "ours")
Step = Callable[[], float]


class RandomWords:
    """Stands where a tokenizer stands: every text gets random tokens, of one length."""

    def of_classes(self, names: Sequence[str], template: str) -> Texts:
        """As ``TextTokenizer``."""
        return self(names)

    def __call__(self, texts: Sequence[str]) -> Texts:
        """As ``TextTokenizer``."""
        ids = torch.randint(1, 40_000, (len(texts), TEXT_LENGTH), generator=torch.Generator().manual_seed(0))
        ids[:, -1] = EOS
        return Texts(ids, torch.full((len(texts),), TEXT_LENGTH - 1))


def make_batch(size: int) -> Batch:
    """Noise: what is in a picture costs nothing."""
    generator = torch.Generator().manual_seed(1)
    sketches, positives, negatives = torch.randn(3, size, 3, 224, 224, generator=generator).unbind()
    labels = torch.arange(size) % CLASSES
    rows = torch.arange(size)
    return Batch(sketches, positives, negatives, labels, (labels + 1) % CLASSES, rows, rows + size)


def our_step(model: CLIPModel, prompts: dict[str, Tensor], batch: Batch) -> Step:
    """``sketchseek.methods.clip_at`` and an optimiser."""
    image, text = build_clip(model.config)
    size = Preprocessing(size=224, fit="squash")
    backbone = Backbone(image, text, cast(TextTokenizer, RandomWords()), photos=size, sketches=size)
    backbone.load_state_dict(to_ours(model.state_dict()), strict=False)
    method = ClipAt(backbone, [f"class {i}" for i in range(CLASSES)], "category", ClipAtOptions())
    for owner, tokens in prompts.items():
        cast(Any, method.prompts[owner]).tokens.data[0] = tokens
    optimiser = torch.optim.Adam([{"params": group.parameters, "lr": group.lr} for group in method.groups()])

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        loss = torch.stack(list(method.losses(batch, Clock(0, 0, 1)).values())).sum()
        cast(Any, loss).backward()
        optimiser.step()
        return loss.item()

    return step


def straightforward_step(kind: str, model: CLIPModel, prompts: dict[str, Tensor], batch: Batch) -> Step:
    """Three passes through transformers' modules; a copy of the vision tower for each modality's LayerNorms."""
    towers = {"sketch": model.vision_model, "photo": deepcopy(model.vision_model)}
    learned = {owner: nn.Parameter(tokens.clone()) for owner, tokens in prompts.items()}
    norms = [
        parameter
        for tower in towers.values()
        for module in tower.modules()
        if isinstance(module, nn.LayerNorm)
        for parameter in module.parameters()
    ]
    if not kind.startswith("everything"):
        forgotten = ("q_proj", "k_proj", "v_proj", "class_embedding", "position_embedding", "visual_projection")
        for module in (model, towers["photo"]):
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(kind == "as released" and any(part in name for part in forgotten))
        for parameter in norms:
            parameter.requires_grad_(True)
    rates = [{"params": list(learned.values()), "lr": 1e-4}, {"params": norms, "lr": 1e-5}]
    optimiser = torch.optim.Adam(rates)
    words = RandomWords()(range(CLASSES)).ids  # type: ignore[arg-type]  # only their number counts
    padded = functional.pad(words, (0, CONTEXT - TEXT_LENGTH), value=int(words[0, -1]))

    def encode(pixels: Tensor, owner: str) -> Tensor:
        tower = towers[owner]
        tokens = tower.embeddings(pixels)
        tokens = torch.cat((tokens, learned[owner].expand(len(tokens), -1, -1)), dim=1)
        tokens = tower.encoder(inputs_embeds=tower.pre_layrnorm(tokens)).last_hidden_state
        return cast(Tensor, model.visual_projection(tower.post_layernorm(tokens[:, 0])))

    @torch.no_grad()
    def read_texts() -> Tensor:
        output = model.text_model(input_ids=padded).pooler_output
        return functional.normalize(model.text_projection(output), dim=-1)

    kept = None if kind.endswith("texts every step") else read_texts()

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        texts = read_texts() if kept is None else kept
        sketch, positive, negative = (
            functional.normalize(encode(pixels, owner), dim=-1)
            for pixels, owner in ((batch.sketches, "sketch"), (batch.positives, "photo"), (batch.negatives, "photo"))
        )
        near, far = 1 - (sketch * positive).sum(dim=1), 1 - (sketch * negative).sum(dim=1)
        loss = functional.relu(0.3 + near - far).mean()
        for features in (sketch, positive):
            loss = loss + 0.5 * functional.cross_entropy(features @ texts.T / 0.01, batch.labels)
        cast(Any, loss).backward()
        for parameter in (*model.parameters(), *towers["photo"].parameters()):
            if not any(parameter is one for one in norms):
                parameter.grad = None  # the optimiser does not know it
        optimiser.step()
        return loss.item()

    return step


def work(kind: str, size: int, threads: int, layers: int) -> None:
    """One process: for every line that comes in a step, and a line of seconds, processor seconds, loss and GiB."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    depth = {"num_hidden_layers": layers}
    # The configuration of ViT-B/32, in which nothing is dropped out.
    model = CLIPModel(CLIPConfig(vision_config=depth, text_config=depth))
    prompts = {owner: torch.randn(3, 768) for owner in ("sketch", "photo")}
    batch = make_batch(size)
    if kind == "ours":
        step = our_step(model, prompts, batch)
        del model
    else:
        step = straightforward_step(kind, model, prompts, batch)
    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        loss = step()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(time.perf_counter() - start, time.process_time() - processor, loss, memory, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A step of CLIP-AT: straightforward, and ours.")
    parser.add_argument("--batch", type=int, default=8, help="triplets in a step")
    parser.add_argument("--rounds", type=int, default=3, help="steps of each kind, after one to warm up")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--layers", type=int, default=12, help="of both towers; fewer for a quick look")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.worker, given.batch, given.threads, given.layers)
        return

    shape = ["--batch", str(given.batch), "--threads", str(given.threads), "--layers", str(given.layers)]
    command = [sys.executable, __file__, *shape, "--worker"]
    workers = {
        kind: subprocess.Popen([*command, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for kind in KINDS
    }
    rows: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for _ in range(given.rounds + 1):
        for kind, worker in workers.items():
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write("step\n")
            rows[kind].append([float(value) for value in worker.stdout.readline().split()])
    for worker in workers.values():
        worker.communicate()

    first = [steps[0][2] for steps in rows.values()]
    assert max(first) - min(first) < 1e-3 * abs(first[0]), f"the losses differ: {first}"
    speeds = {
        kind: [given.batch / statistics.median(row[column] for row in steps[1:]) for column in (0, 1)]
        for kind, steps in rows.items()
    }
    print(f"{given.batch} triplets a step, {given.threads} threads, median of {given.rounds} steps")
    print("| step | triplets/s | triplets per processor second | ours is faster by | peak memory |")
    print("|---|---|---|---|---|")
    for kind, steps in rows.items():
        wall, processor = speeds[kind]
        ratio = speeds["ours"][1] / processor
        print(f"| {kind} | {wall:.2f} | {processor:.2f} | {ratio:.2f} | {steps[-1][3]:.2f} GiB |")


if __name__ == "__main__":
    main()
