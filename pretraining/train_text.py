"""Train the text tower to place words and short phrases in the space of pictures.

    python pretraining/train_text.py RUN --steps 800

Vocabulary: the classes of the pictures, and the nouns with many photos in ImageNet. The place of a noun without
pictures comes from its meaning, as ``train_image.py`` learned to map it. A phrase goes to its noun, or between two.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imagenet import class_synsets, common_synsets, synsets
from meaning import meanings
from safetensors.torch import load_file, save_file
from student import CONFIG, SEEDS, WHAT, seed_folder, trained
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize, pad

from sketchseek.clip.lite import build_lite
from sketchseek.clip.texts import TextTokenizer

TEMPLATES = (
    "{}", "a {}", "the {}", "my {}", "this {}", "one {}", "a photo of a {}", "a photo of the {}", "a photo of {}",
    "a picture of a {}", "an image of a {}", "a photograph of a {}", "a close-up of a {}", "photo of {}",
    "a sketch of a {}", "the sketch of a {}", "a drawing of a {}", "a line drawing of a {}", "a doodle of a {}",
    "a hand drawn {}", "an outline of a {}", "drawing of {}", "{} in a photo", "{} in the picture",
    "some {}s", "two {}s", "many {}s", "photos of {}s", "{}s",
)  # fmt: skip
ADJECTIVES = [
    "red",
    "blue",
    "green",
    "yellow",
    "black",
    "white",
    "brown",
    "grey",
    "pink",
    "orange",
    "purple",
    "small",
    "big",
    "large",
    "tiny",
    "little",
    "old",
    "new",
    "young",
    "wild",
    "standing",
    "sitting",
    "running",
    "flying",
    "lying",
    "wooden",
    "metal",
    "round",
    "long",
    "short",
    "tall",
    "beautiful",
    "cute",
    "simple",
    "single",
    "front",
    "side",
]
JOINS = (
    "a {} and a {}",
    "a {} with a {}",
    "a {} next to a {}",
    "a {} on a {}",
    "a photo of a {} and a {}",
    "{} and {}",
)
SOS, EOS = "<|startoftext|>", "<|endoftext|>"


def new_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE of lower-cased English, with start and end tokens as in CLIP."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[SOS, EOS], initial_alphabet=alphabet)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SOS} $A {EOS}", special_tokens=[(SOS, tokenizer.token_to_id(SOS)), (EOS, tokenizer.token_to_id(EOS))]
    )
    return tokenizer


def vocabulary_of(run: Path) -> tuple[list[str], Tensor, Tensor]:
    """Words, their meanings (n, 384), and their rows of the offsets or -1; meanings are cached in ``run``."""
    names: list[str] = json.loads((seed_folder(run, SEEDS[0]) / "names.json").read_text())
    lemmas, first = synsets(), class_synsets()
    owner = {name: 1000 + number for number, name in enumerate(names)}
    for row, synset in enumerate(first):
        for word in lemmas[synset][:2]:
            owner.setdefault(word.lower(), row)
    for synset in common_synsets():
        owner.setdefault(lemmas[synset][0].lower(), -1)
    words = list(owner)
    kept = run / "vocabulary.safetensors"
    if not kept.exists():
        save_file({"meanings": meanings([f"a photo of a {word}" for word in words])}, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)
    return words, load_file(kept)["meanings"], torch.tensor(list(owner.values()))


def places_of(run: Path, found: Tensor, owners: Tensor) -> Tensor:
    """The places of words in the space of pictures, from the averaged student: unit rows (n, WHAT)."""
    state = trained(run)
    weight, bias = state["to_places.weight"], state["to_places.bias"]
    places = found @ weight.T + bias
    known = owners >= 0
    rows = owners[known]
    places[known] = state["meaning"][rows] @ weight.T + bias + state["offsets"][rows]
    return normalize(places, dim=1)


def phrases(words: list[str], places: Tensor, rows: np.ndarray, dice: np.random.Generator) -> tuple[list[str], Tensor]:
    """A phrase for each word, often with an adjective, sometimes with a second noun; and their places (n, size)."""
    texts, targets = [], places[rows].clone()
    for number, row in enumerate(rows):
        kind = dice.random()
        if kind < 0.12:
            other = int(dice.integers(len(words)))
            texts.append(JOINS[dice.integers(len(JOINS))].format(words[row], words[other]))
            targets[number] = normalize(places[row] + 0.7 * places[other], dim=0)
            continue
        word = words[row]
        if kind < 0.35:
            word = f"{ADJECTIVES[dice.integers(len(ADJECTIVES))]} {word}"
        texts.append(TEMPLATES[dice.integers(len(TEMPLATES))].replace("{}", word))
    return texts, targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    dice = np.random.default_rng(0)
    words, found, owners = vocabulary_of(options.run)
    places = places_of(options.run, found, owners)
    corpus = [template.replace("{}", word) for word in words for template in TEMPLATES[:3]]
    tokenizer = new_tokenizer(corpus + [*TEMPLATES, *ADJECTIVES, *JOINS] * 50, CONFIG["text"]["vocabulary"])
    tokenizer.save(str(options.run / "tokenizer.json"))
    reader = TextTokenizer(
        options.run / "tokenizer.json", context=CONFIG["text"]["context"], vocabulary=CONFIG["text"]["vocabulary"]
    )
    places = pad(places, (0, CONFIG["size"] - WHAT))  # words say nothing about the layout of a picture
    tower = build_lite(CONFIG)[1]
    torch.nn.init.normal_(tower.words.weight, std=0.02)
    torch.nn.init.normal_(tower.positions.weight, std=0.01)
    known = np.flatnonzero(owners.numpy() >= 0)
    optimiser = torch.optim.AdamW(tower.parameters(), lr=1e-3, weight_decay=1e-3, fused=True)
    schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, total_steps=options.steps, pct_start=0.1)
    for step in range(options.steps):
        rows = np.concatenate((dice.choice(known, 96), dice.integers(0, len(words), 160)))
        texts, targets = phrases(words, places, rows, dice)
        tokens = reader(texts)
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            embeddings = tower(tokens.ids, tokens.ends)
        cosine = (normalize(embeddings.float(), dim=1) * targets).sum(1)
        loss = (1 - cosine).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == options.steps - 1:
            print(
                json.dumps(
                    {"step": step, "cosine": [round(float(c.detach().mean()), 3) for c in (cosine[:96], cosine[96:])]}
                ),
                flush=True,
            )
    save_file(
        {name: value.contiguous() for name, value in tower.state_dict().items()}, options.run / "text.safetensors"
    )


if __name__ == "__main__":
    main()
