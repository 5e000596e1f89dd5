import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no failure, and a run can be repeated. Other examples: pytest --hypothesis-profile=search
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real sketches and photos; tests that ask for it carry ``@pytest.mark.data``."""
    folder = Path(os.environ.get("SKETCHSEEK_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real sketches and photos at {folder}; name their folder in SKETCHSEEK_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_clip_folder(tmp_path_factory: pytest.TempPathFactory, random_clip: Callable[..., Any]) -> Path:
    """A whole backbone folder in Hugging Face format around a CLIP of 100,000 random weights, for tests of any room.

    Width 32, 3 layers, 4 heads, 7x7 patches of 32 pixels; text width 24, 3 layers, context 77; embeddings of 16.
    """
    import json

    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny-clip")
    tokenizer = _tiny_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    model = random_clip(
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4},
        text_config={
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "vocab_size": tokenizer.get_vocab_size(),
            "bos_token_id": tokenizer.token_to_id("<|startoftext|>"),
            "eos_token_id": tokenizer.token_to_id("<|endoftext|>"),
        },
        projection_dim=16,
    )
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
                "do_resize": True,
                "size": {"shortest_edge": 224},
                "resample": 3,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
            }
        )
    )
    return folder


@pytest.fixture(scope="session")
def random_clip() -> Callable[..., Any]:
    """Makes transformers' own CLIPModel of a config, with random numbers everywhere, so that no mix-up hides."""
    return _random_clip


def _random_clip(seed: int = 0, **config: Any) -> Any:
    import torch
    from transformers import CLIPConfig, CLIPModel

    from tests.random_weights import randomised

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(CLIPConfig(**config)).eval()
    return randomised(model, seed)


def _tiny_tokenizer() -> Any:
    """A tokenizer of CLIP's kind (byte-level BPE, SOS and EOS as the last two tokens) over a few hundred tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    # Spelled out, not trained: training numbers the tokens differently in every process.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens, merges = [*alphabet, *(letter + "</w>" for letter in alphabet)], []
    for word in ("a", "photo", "sketch", "of", "cat", "dog", "hot", "air", "balloon", "giraffe"):
        letters = [*word[:-1], word[-1] + "</w>"]
        for end in range(1, len(letters)):
            merges.append(("".join(letters[:end]), letters[end]))
            tokens.append("".join(letters[: end + 1]))
    merges, tokens = list(dict.fromkeys(merges)), list(dict.fromkeys(tokens))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    specials = ["<|startoftext|>", "<|endoftext|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    vocabulary = tokenizer.get_vocab()
    sos, eos = ((token, vocabulary[token]) for token in specials)
    tokenizer.post_processor = processors.RobertaProcessing(eos, sos, trim_offsets=False, add_prefix_space=False)
    return tokenizer
