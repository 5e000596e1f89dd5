"""Train the text tower to place words and short phrases in the space of pictures.

    python pretraining/train_text.py DATA RUN CACHE/224-0 CACHE/224-1 --steps 800

Vocabulary: the classes of the pictures, everyday words, the names that ``clip_text.npz`` has vectors of, and the nouns
with many photos in ImageNet; ``places.py`` says where each belongs. A phrase goes to its noun, or between two.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from places import places, vocabulary
from quick import use_quick_convolutions
from safetensors.torch import load_file, save_file
from student import CONFIG, WHAT, Student, names_of, trained
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize, pad
from train_image import Maps, trained_photos

from sketchseek.clip.lite import build_lite
from sketchseek.clip.texts import TextTokenizer
from sketchseek.clip.towers import TextTower
from sketchseek.parallel import batches

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


def photos_of(run: Path, passes: list[Path]) -> tuple[Tensor, Tensor, list[str]]:
    """The learned places of classes (1000 + names, WHAT), named training photos (n, WHAT), and their names.

    Of the large data sets one pass is enough; of ``products`` and ``mixed`` all passes are taken.
    """
    use_quick_convolutions()
    student = Student(names_of(run), Maps(passes[0]).features(trained_photos(Maps(passes[0])))).eval()
    student.load_state_dict(trained(run), strict=False)
    found, shown, seen = [], [], set()
    for number, folder in enumerate(passes):
        cache = Maps(folder)
        rows = [row for row in trained_photos(cache) if cache.items[row]["name"] and row not in seen]
        if number:
            rows = [row for row in rows if cache.items[row]["sort"] in ("products", "mixed")]
        seen.update(rows)
        shown += [cache.items[row]["name"] for row in rows]
        for _, batch in batches(rows, 64):
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                found.append(normalize(student(cache.read(batch))[:, :WHAT], dim=1))
    return student.prototypes().detach(), torch.cat(found).clone(), shown


def placed(data: Path, run: Path, passes: list[Path]) -> tuple[list[str], Tensor, Tensor]:
    """Words, their places (n, WHAT), and whether more than their meaning is known (n,); cached in ``run``."""
    listed, kept = run / "words.json", run / "places.safetensors"
    if not kept.exists():
        prototypes, photos, shown = photos_of(run, passes)
        words, meant = vocabulary(run, data, {*shown, *names_of(run)})
        listed.write_text(json.dumps(words), encoding="utf-8")
        found, certain = places(run, words, meant, prototypes, photos, shown)
        save_file({"places": found, "certain": certain}, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)
    state = load_file(kept)
    return json.loads(listed.read_text(encoding="utf-8")), state["places"], state["certain"]


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


def new_reader(path: Path, words: list[str], text: dict[str, Any]) -> TextTokenizer:
    """A tokenizer for these words in phrases, written to ``path``; ``text``: its vocabulary and context."""
    corpus = [template.replace("{}", word) for word in words for template in TEMPLATES[:3]]
    new_tokenizer(corpus + [*TEMPLATES, *ADJECTIVES, *JOINS] * 50, text["vocabulary"]).save(str(path))
    return TextTokenizer(path, context=text["context"], vocabulary=text["vocabulary"])


def teach(
    tower: TextTower, reader: TextTokenizer, words: list[str], places: Tensor, certain: Tensor, steps: int
) -> None:
    """Train the tower to put words, alone and in phrases, at their places (n, size), unit rows."""
    dice = np.random.default_rng(0)
    torch.nn.init.normal_(tower.words.weight, std=0.02)
    torch.nn.init.normal_(tower.positions.weight, std=0.01)
    known = np.flatnonzero(certain.numpy())
    optimiser = torch.optim.AdamW(tower.parameters(), lr=1e-3, weight_decay=1e-3, fused=True)
    schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        rows = np.concatenate((dice.choice(known, 96), dice.integers(0, len(words), 64)))
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
        if step % 50 == 0 or step == steps - 1:
            means = [round(float(part.detach().mean()), 3) for part in (cosine[:96], cosine[96:])]
            print(json.dumps({"step": step, "cosine": means}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("passes", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    words, found, certain = placed(options.data, options.run, options.passes)
    found = pad(found, (0, CONFIG["size"] - WHAT))  # words say nothing about the layout of a picture
    reader = new_reader(options.run / "tokenizer.json", words, CONFIG["text"])
    tower = build_lite(CONFIG)[1]
    teach(tower, reader, words, found, certain, options.steps)
    save_file(
        {name: value.contiguous() for name, value in tower.state_dict().items()}, options.run / "text.safetensors"
    )


if __name__ == "__main__":
    main()
