"""A sweep: the same training with every combination of some values, one run folder each, and a table of the best."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from sketchseek.training import files
from sketchseek.training.checkpoint import Best
from sketchseek.training.errors import Interrupted, TrainingError
from sketchseek.training.progress import Progress
from sketchseek.training.recipe import Recipe, changed
from sketchseek.training.session import recipe_to_resume, train
from sketchseek.training.stem_cache import StemCache


@dataclass(frozen=True)
class Trial:
    """One combination of a sweep."""

    values: Mapping[str, str]  # what is tried, as it was written
    folder: Path
    best: Best | None
    failure: str | None  # why there is no best state: the training diverged, for instance

    @property
    def score(self) -> float:
        """The metric that chose the best state; below every metric for a failure."""
        return -1.0 if self.best is None or self.best.metric is None else self.best.values[self.best.metric]


def parse_sweeps(sweeps: Iterable[str]) -> dict[str, list[str]]:
    """Arguments of ``--sweep key=value,value`` by key."""
    found: dict[str, list[str]] = {}
    for sweep in sweeps:
        key, equals, text = sweep.partition("=")
        key, values = key.strip().replace("-", "_"), [value.strip() for value in text.split(",") if value.strip()]
        if not equals or not key or not values:
            raise TrainingError(f"--sweep takes key=value,value, such as --sweep lr=1e-5,1e-4, not {sweep!r}")
        if key in found:
            raise TrainingError(f"--sweep has {key} twice: name all its values after one {key}=")
        found[key] = list(dict.fromkeys(values))
    return found


def sweep(
    recipe: Recipe,
    sweeps: Mapping[str, Sequence[str]],
    folder: Path,
    *,
    trust_pickle: bool = False,
    progress: Progress | None = None,
) -> Iterator[Trial]:
    """Train every combination in a folder of its own below ``folder``, and give it when it is done.

    A run that is there already is continued, or only read if it is finished. A combination whose training fails,
    because it diverges for instance, ends only its own run.
    """
    if recipe.validation == "none":
        raise TrainingError(
            "a sweep compares runs by their validation: set validation to classes that are not trained on"
        )
    trials = [(values, changed(recipe, values, "--sweep")) for values in _combinations(sweeps)]
    stem_cache = StemCache(recipe.remember) if recipe.remember else None
    for values, one in trials:
        target = folder / ",".join(f"{key}={value}" for key, value in values.items()).replace("/", "-")
        try:
            begun = (target / files.RECIPE).is_file()
            if begun and recipe_to_resume(target).fingerprint != one.fingerprint:
                raise TrainingError(f"{target} was begun with another recipe: name another --out")
            outcome = train(
                one, target, resume=begun, trust_pickle=trust_pickle, progress=progress, stem_cache=stem_cache
            )
        except Interrupted:
            raise
        except TrainingError as error:
            yield Trial(values, target, None, str(error))
        else:
            yield Trial(values, target, outcome.best, None)


def _combinations(sweeps: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [dict(zip(sweeps, values, strict=True)) for values in product(*sweeps.values())]
