"""Folders of random weights in the layouts in which CLIP and SigLIP are published."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from sketchseek.engine.convert import convert, write
from sketchseek.engine.folder import Record, Role
from sketchseek.engine.sessions import OrtSession
from sketchseek.engine.weights import SharedWeights
from tests.random_weights import randomised

torch.set_num_threads(1)

WORDS = ("a", "photo", "of", "cat", "dog", "red", "fish", "the", "sea", "not", "toy", "hot", "air", "balloon")


class Graphs:
    """The graphs of a model folder, opened in this process."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder, self.record = folder, record
        self._sessions: dict[str, OrtSession] = {}

    def __call__(self, role: Role, output: str = "vectors", **inputs: NDArray[Any]) -> NDArray[Any]:
        file = self.record.graphs[role]
        if file not in self._sessions:
            shared = self.record.weights.get(file)
            weights = shared and SharedWeights(shared, np.fromfile(self.folder / shared, np.uint8))
            self._sessions[file] = OrtSession((self.folder / file).read_bytes(), "CPU", 1, weights or None)
        return self._sessions[file](inputs, [output])[0]


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs of others run here, because starting processes takes most of the time; not in tests of isolation."""
    if "processes_of_their_own" not in request.node.name:
        monkeypatch.setattr(write, "IsolatedSession", OrtSession)


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Graphs]:
    """Converts a folder, and opens the graphs."""

    def run(source: Path, precision: Any = "fp32") -> Graphs:
        out = tmp_path / f"{source.name} {precision}"
        return Graphs(out, convert(source, out, name="tiny", about="a test", licence="MIT", precision=precision))

    return run


def write_folder(folder: Path, model: Any, tokenizer: Any, processor: Mapping[str, Any], **beside: Any) -> Path:
    """A folder as on the hub; ``beside``: other JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(model.state_dict(), folder / "model.safetensors")
    files = {"config": model.config.to_dict(), "preprocessor_config": processor, **beside}
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


SIGLIP_PROCESSOR = {
    "do_resize": True,
    "size": {"height": 64, "width": 64},
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def unigram_tokenizer() -> Any:
    """A tokenizer of SigLIP's kind: sentencepiece unigram, one end token after a text, which also pads."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -4.0)]
    vocabulary += [(f"▁{word}", -2.0 - number / 50) for number, word in enumerate(WORDS)]
    vocabulary += [(letter, -5.0 - number / 50) for number, letter in enumerate(letters)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken("</s>", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def gemma_tokenizer() -> Any:
    """A tokenizer of SigLIP 2's kind: byte-fallback BPE, <pad> is 0 and <eos> follows a text."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{number:02X}>" for number in range(256))]
    tokens += ["▁", *"abcdefghijklmnopqrstuvwxyz"]
    merges = []
    for word in WORDS:
        for end in range(1, len(word)):
            if (word[:end], word[end]) not in merges:
                merges.append((word[:end], word[end]))
                tokens.append(word[: end + 1])
    tokens = list(dict.fromkeys(tokens))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<pad>", "<eos>", "<bos>", "<unk>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return tokenizer


@pytest.fixture(scope="session")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A tiny SigLIP of the first generation: its folder and the model of transformers."""
    from transformers import SiglipConfig, SiglipModel

    tokenizer = unigram_tokenizer()
    text = {**TOWER, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 64, "projection_size": 32}
    vision = {**TOWER, "num_hidden_layers": 3, "image_size": 64, "patch_size": 16}
    model = randomised(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
    folder = tmp_path_factory.mktemp("siglip") / "siglip"
    pad = {"pad_token": "</s>"}
    return write_folder(folder, model, tokenizer, SIGLIP_PROCESSOR, tokenizer_config=pad), model


@pytest.fixture(scope="session")
def siglip2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A tiny SigLIP 2 for pictures of any shape (NaFlex)."""
    from transformers import Siglip2Config, Siglip2Model

    tokenizer = gemma_tokenizer()
    text = {**TOWER, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 64, "projection_size": 32}
    vision = {**TOWER, "num_patches": 16, "patch_size": 16}
    model = randomised(Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)), 1)
    folder = tmp_path_factory.mktemp("siglip2") / "siglip2"
    processor = {**SIGLIP_PROCESSOR, "max_num_patches": 16, "patch_size": 16}
    del processor["size"]
    return write_folder(folder, model, tokenizer, processor, tokenizer_config={"pad_token": "<pad>"}), model
