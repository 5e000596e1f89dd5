"""Published CLIPs as model folders: size, and pictures a second at each precision, from random weights.

    python benchmarks/clip_models.py [--models b32 b16 l14 siglip2 tinyclip] [--threads 2] [--repeats 3] [--batch 4]

Speed does not depend on the numbers in the weights, so random ones are converted. The graphs of all precisions run in
turn, so that other work on the machine hits them alike; photos a CPU second suffer less from it than photos a second.
`torch` is the graph that `sketchseek export` traces from the same weights (of b32 only, because it takes long). The
last column compares the vectors of photos and of texts with those that transformers computes from the same weights: the
largest difference of a number.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stand_ins import LITE

from sketchseek.engine.convert import convert
from sketchseek.engine.folder import Precision, Record, Role, read_record
from sketchseek.engine.golden import least_cosine
from sketchseek.engine.sample_inputs import SAMPLE_TEXTS, sample_pictures
from sketchseek.engine.sessions import OrtSession
from sketchseek.engine.weights import SharedWeights
from sketchseek.export import export
from sketchseek.pictures import normalise
from sketchseek.tokenizer import Tokenizer, Tokens

EOS = 1  # of the tokenizer of lite
TRACED = ("tiny", "b32")  # the shapes that sketchseek export is timed on, too
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
_SMALL = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
_L14 = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
_TINY = {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}
_L14_TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
# Towers of CLIP (or SigLIP) in the words of a config.json; what is not said is that of ViT-B/32 (or base at 224 px).
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"vision_config": {**_SMALL, "patch_size": 32}, "text_config": _SMALL, "projection_dim": 64},
    "b32": {"vision_config": {}, "text_config": {}, "projection_dim": 512},
    "b16": {"vision_config": {"patch_size": 16}, "text_config": {}, "projection_dim": 512},
    "l14": {"vision_config": {**_L14, "patch_size": 14}, "text_config": _L14_TEXT, "projection_dim": 768},
    "tinyclip": {
        "vision_config": {**_TINY, "num_hidden_layers": 10, "patch_size": 16},
        "text_config": {**_TINY, "num_hidden_layers": 3},
        "projection_dim": 512,
    },
    "siglip2": {"vision_config": {"image_size": 224}, "text_config": {"vocab_size": 256000}},
}


def random_model(name: str) -> Any:
    """A model of transformers with random numbers in all weights, large enough that every layer matters."""
    import torch
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    torch.manual_seed(0)
    shape = {**SHAPES[name], "text_config": {**SHAPES[name]["text_config"], "eos_token_id": EOS, "bos_token_id": 0}}
    model: Any = SiglipModel(SiglipConfig(**shape)) if name.startswith("siglip") else CLIPModel(CLIPConfig(**shape))
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif parameter.ndim > 1:
                table = "position_embedding" in parameter_name or "token_embedding" in parameter_name
                parameter.normal_(std=0.3 if table else parameter[0].numel() ** -0.5)
    return model.eval()


def write_weights(name: str, model: Any, folder: Path) -> Path:
    """A folder as on the hub."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    (folder / "tokenizer.json").write_bytes((LITE / "tokenizer.json").read_bytes())
    (folder / "tokenizer_config.json").write_text('{"pad_token": "<|endoftext|>"}')
    if name.startswith("siglip"):
        half = [0.5, 0.5, 0.5]
        size = {"height": 224, "width": 224}
        prepared = {"size": size, "resample": 2, "image_mean": half, "image_std": half}
        (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def by_transformers(model: Any, pixels: NDArray[np.uint8], tokens: Tokens, record: Record) -> list[NDArray[np.float32]]:
    """The vectors of photos and of texts, by transformers."""
    import torch

    ids = np.full((len(tokens.ids), record.context), EOS)  # the token that also pads
    for row, (numbers, end) in enumerate(zip(tokens.ids, tokens.ends, strict=True)):
        ids[row, : end + 1] = numbers[: end + 1]
    with torch.no_grad():
        photos = model.get_image_features(pixel_values=torch.from_numpy(normalise(pixels, record.photos)))
        texts = model.get_text_features(torch.from_numpy(ids))
        return [torch.nn.functional.normalize(found.pooler_output).numpy() for found in (photos, texts)]


def session(folder: Path, record: Record, threads: int, role: Role = "photo") -> OrtSession:
    """The graph of photos or texts."""
    file = record.graphs[role]
    weights = record.weights.get(file)
    shared = SharedWeights(weights, np.fromfile(folder / weights, np.uint8)) if weights else None
    return OrtSession((folder / file).read_bytes(), "CPU", threads, shared)


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def measure(name: str, scratch: Path, options: argparse.Namespace) -> list[str]:
    """The rows of a model: each precision, and what torch exports."""
    model = random_model(name)
    weights = write_weights(name, model, scratch / name)
    folders: dict[str, Path] = {}
    seconds: dict[str, float] = {}
    for precision in PRECISIONS:
        folders[precision], start = scratch / f"{name}-{precision}", time.perf_counter()
        convert(weights, folders[precision], name=name, about="", licence="", precision=precision)
        seconds[precision] = time.perf_counter() - start
    if name in TRACED:
        start = time.perf_counter()
        folders["torch"] = export(weights, scratch / f"{name}-torch").folder
        seconds["torch"] = time.perf_counter() - start
    records = {made: read_record(folder) for made, folder in folders.items()}
    pixels = sample_pictures(options.batch, records["fp32"].photos.size)
    tokens = Tokenizer((LITE / "tokenizer.json").read_bytes(), path=LITE, context=records["fp32"].context)(SAMPLE_TEXTS)
    wanted = by_transformers(model, pixels, tokens, records["fp32"])
    del model
    inputs = {"ids": tokens.ids, "ends": tokens.ends}
    texts = {
        made: session(folder, records[made], options.threads, "text")(inputs, ["vectors"])[0]
        for made, folder in folders.items()
    }
    sessions = {made: session(folder, records[made], options.threads) for made, folder in folders.items()}
    vectors = {made: run({"pixels": pixels}, ["vectors"])[0] for made, run in sessions.items()}
    wall: dict[str, float] = defaultdict(float)
    busy: dict[str, float] = defaultdict(float)
    for _ in range(options.repeats):
        for made, run in sessions.items():
            clock, processor = time.perf_counter(), time.process_time()
            run({"pixels": pixels}, ["vectors"])
            wall[made] = max(wall[made], options.batch / (time.perf_counter() - clock))
            busy[made] = max(busy[made], options.batch / (time.process_time() - processor))
    source = megabytes(weights)
    return [
        f"| {name} | {made} | {source:.0f} | {megabytes(folders[made]):.0f} | {wall[made]:.1f} | {busy[made]:.1f} | "
        f"{busy[made] / busy['fp32']:.2f}x | {seconds[made]:.0f} | "
        f"{least_cosine(vectors[made], wanted[0]):.5f} | {least_cosine(texts[made], wanted[1]):.5f} | "
        f"{abs(vectors[made] - wanted[0]).max():.1e}, {abs(texts[made] - wanted[1]).max():.1e} |"
        for made in folders
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Published CLIPs as model folders.")
    parser.add_argument(
        "--models", nargs="+", default=["b32", "b16", "l14", "siglip2", "tinyclip"], choices=list(SHAPES)
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    speed = "photos/s | a CPU second | CPU against fp32"
    exact = "cosine of photos | of texts | largest differences"
    print(f"| model | stored | published, MB | folder, MB | {speed} | made, s | {exact} |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in options.models:
        with tempfile.TemporaryDirectory() as scratch:
            for row in measure(name, Path(scratch), options):
                print(row, flush=True)


if __name__ == "__main__":
    main()
