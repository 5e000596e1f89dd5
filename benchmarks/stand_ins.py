"""What benchmarks share: a CLIP of a real one's shape with random weights, pictures like photos, processor time."""

import json
import resource
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LITE = Path(__file__).resolve().parent.parent / "src" / "sketchseek" / "models" / "lite"


def write_vit_b_32(folder: Path) -> Path:
    """A backbone folder with the image tower of ViT-B/32 and one small text layer; weights are random."""
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = CLIPModel(CLIPConfig(text_config={**text, "vocab_size": 6000}, projection_dim=512))
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    (folder / "tokenizer.json").write_bytes((LITE / "tokenizer.json").read_bytes())
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def processor_seconds() -> float:
    """Processor time of this process and of those that it has ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def photo_like(seed: int, width: int, height: int) -> NDArray[np.uint8]:
    """Noise whose detail falls off as in photos, in colour: it compresses like a camera's (about 3 bits a pixel)."""
    draw = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(9):
        shape = (max(2, height >> octave), max(2, width >> octave), 3)
        small = draw.normal(0, 4.5 * 1.45**octave, shape).astype(np.float32)
        scaled = [
            Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC)
            for channel in np.moveaxis(small, 2, 0)
        ]
        total += np.stack([np.asarray(channel) for channel in scaled], axis=2)
    return np.asarray((total + 128).clip(0, 255), np.uint8)
