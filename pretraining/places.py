"""Where words belong in the space of pictures: beside the photos that they name.

A class that was trained, or that ImageNet's classifier knows, has a learned place. The place of any other word follows
from its meaning, by ridge regression over the words whose places are known. Names of photos move to their photos.
"""

import hashlib
import re
import tomllib
from pathlib import Path

import numpy as np
import torch
from imagenet import class_synsets, common_synsets, synsets
from meaning import meanings
from safetensors.torch import load_file, save_file
from student import names_of
from torch import Tensor
from torch.nn.functional import normalize

NARROW, RIDGE = 2.0, 0.3  # of the kernel of meanings; of the regression
MEANT, SHOWN = 2.0, 1.0  # weights of the place by meaning and of a name's own photos, beside the learned place
FEW = 2  # photos that a name needs to count half


def vocabulary(run: Path, data: Path, names: set[str]) -> tuple[list[str], Tensor]:
    """Words, and their meanings (n, 384 + 512): a sentence encoder's, and CLIP's text tower's or what that would say.

    ``names``: of photos. Meanings are cached in ``run``.
    """
    lemmas = synsets()
    known = np.load(data / "clip_text.npz")
    clip = {
        str(name).lower(): row for name, row in zip(known["names"], known["vectors"].astype(np.float32), strict=True)
    }
    words = list(
        dict.fromkeys(
            [
                *everyday(),
                *sorted(names),
                *clip,
                *(word.lower() for synset in class_synsets() for word in lemmas[synset][:2]),
                *(lemmas[synset][0].lower() for synset in common_synsets()),
            ]
        )
    )
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
    kept = run / f"meanings-{digest}.safetensors"
    if not kept.exists():
        save_file({"meanings": meanings([f"a photo of a {word}" for word in words])}, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)
    plain = load_file(kept)["meanings"]
    rows = [number for number, word in enumerate(words) if word in clip]
    real = torch.from_numpy(np.stack([clip[words[row]] for row in rows]))
    mean = real.mean(0)
    guessed = regressed(plain[rows], real - mean, plain, narrow=3.0)
    guessed[rows] = real - mean
    return words, torch.cat((normalize(plain - plain.mean(0), dim=1), normalize(guessed, dim=1)), dim=1) / 2**0.5


def regressed(known: Tensor, values: Tensor, asked: Tensor, narrow: float = NARROW) -> Tensor:
    """Kernel ridge regression from unit rows to values: (m, size) for ``asked``."""

    def kernel(rows: Tensor) -> Tensor:
        return (narrow * (rows @ known.T - 1)).exp()

    return kernel(asked) @ torch.linalg.solve(kernel(known) + RIDGE * torch.eye(len(known)), values)


def everyday() -> dict[str, list[int]]:
    """Everyday words -> rows of ImageNet's classifier."""
    lemmas = synsets()
    row_of = {lemmas[synset][0]: row for row, synset in reversed(list(enumerate(class_synsets())))}
    found = {}
    with (Path(__file__).parent / "everyday.toml").open("rb") as file:
        for word, text in tomllib.load(file).items():
            if re.fullmatch(r"[\d -]+", text):
                ranges = [part.split("-") for part in text.split()]
                found[word] = [row for low, high in ranges for row in range(int(low), int(high) + 1)]
            else:
                found[word] = [row_of[" ".join(part.split())] for part in text.split(",")]
    return found


def places(
    run: Path, words: list[str], meant: Tensor, prototypes: Tensor, photos: Tensor, shown: list[str]
) -> tuple[Tensor, Tensor]:
    """The place of each word (n, WHAT), unit rows; and whether it is known by more than its meaning (n,).

    ``prototypes`` (1000 + names, WHAT): learned places; ``photos`` (m, WHAT), unit rows, with their names ``shown``.
    """
    lemmas, number_of = synsets(), {word: number for number, word in enumerate(words)}
    rows_of: dict[str, list[int]] = {}
    for row, synset in enumerate(class_synsets()):
        for word in lemmas[synset][:2]:
            rows_of.setdefault(word.lower(), [row])
    for row, name in enumerate(names_of(run)):
        rows_of[name] = [*rows_of.get(name, []), 1000 + row]
    taught = {number_of[word]: normalize(prototypes[rows].mean(0), dim=0) for word, rows in rows_of.items()}
    learned = torch.stack(list(taught.values()))
    centre = learned.mean(0)
    found = normalize(regressed(meant[list(taught)], learned - centre, meant), dim=1)
    for number, place in taught.items():
        found[number] = normalize(place + MEANT * found[number], dim=0)
    for word, rows in everyday().items():
        found[number_of[word]] = normalize(normalize(prototypes[rows].mean(0), dim=0) + found[number_of[word]], dim=0)
    mean = photos.mean(0)
    owners = np.array(shown)
    for name in set(shown):
        own = photos[torch.from_numpy(np.flatnonzero(owners == name))]
        share = SHOWN * len(own) / (len(own) + FEW)
        found[number_of[name]] = normalize(found[number_of[name]] + share * normalize(own.mean(0) - mean, dim=0), dim=0)
    certain = torch.zeros(len(words), dtype=torch.bool)
    certain[[number_of[word] for word in {*rows_of, *everyday(), *shown}]] = True
    return found, certain
