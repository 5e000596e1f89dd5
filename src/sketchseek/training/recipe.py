"""A recipe: everything that decides the result of a training. Saved beside the result, it repeats the training."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from sketchseek.errors import SketchseekError
from sketchseek.methods.method import Setting
from sketchseek.methods.registry import method_class
from sketchseek.training.errors import TrainingError
from sketchseek.training.fields import convert, kinds_of, to_toml
from sketchseek.untrusted import read_bounded
from sketchseek.wording import nearest

FORMAT = 1  # of recipe.toml: a newer one is refused, because it may mean something else

#: Where and how a training runs, not what it computes: these may change when it is resumed.
ELSEWHERE = ("data", "device", "workers", "threads", "logger")
#: How long it trains: a run may be extended.
LENGTH = ("epochs", "steps")


@dataclass(frozen=True)
class Recipe:
    """One training, completely; ``options`` is the method's own record of free choices.

    A *step* is one update of the weights; ``batch`` counts the triplets behind it in one process.
    """

    method: str  # as the command line names it: clip-at, or my_package.mine:Mine
    data: str  # root of the dataset
    options: Any
    dataset: str | None = None  # which one it is (sketchy, tuberlin, ...), where its folders do not tell
    backbone: str = "lite"
    setting: Setting = "category"
    preset: str = "default"
    classes: str = "train"  # trained on, as ``datasets.select_classes`` reads it
    validation: str = "val"  # the best state is chosen on these; "none": the last state is kept
    validation_subset: str | None = None  # as ``evaluate --subset`` reads it, for a quicker look
    seed: int = 0
    epochs: int = 60
    steps: int | None = None  # in total, instead of epochs
    batch: int = 64
    accumulate: int = 1  # parts a batch is computed in, one after the other: less memory, the same step
    checkpointing: bool = False  # recompute activations on the way back: less memory, more time
    compile: bool = False  # compile the layers with torch.compile: slow to start, meant for long runs on a GPU
    remember: int = 0  # MB of a frozen stem's tokens, kept so that each picture passes it once
    amp: Literal["auto", "off", "bf16", "fp16"] = "auto"
    tf32: bool = False  # matrix products in float32 with the precision of TF32, on GPUs that have it
    optimiser: Literal["adam", "adamw"] = "adam"
    lr: float | None = None  # of everything that is trained; None: the rates the method's options give
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = 0  # steps over which the rate rises from 0
    ema: float = 0.0  # decay of a moving average of the trained weights, which is validated and kept in their place
    weight_decay: float = 0.0  # of the weights of linear and convolution layers: never of norms, biases or prompts
    normalisation: Literal["backbone", "clip", "imagenet"] = "backbone"
    # How pictures become squares: as the backbone says; padded whole; sketches cropped to their ink; photos cropped to
    # their middle or squashed.
    sketch_fit: Literal["backbone", "letter-box", "ink"] = "backbone"
    photo_fit: Literal["backbone", "letter-box", "crop", "squash"] = "backbone"
    validate_every: int | None = None  # steps; None: after each epoch
    save_every: int = 200  # steps between two savings of the state
    log_every: int = 10  # steps
    device: str = "auto"
    workers: int | None = None  # threads that prepare batches; None: one for each core
    threads: int | None = None  # of torch on the CPU; None: torch decides
    logger: Literal["none", "tensorboard", "wandb"] = "none"  # where the log is also written

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "save_every", "log_every"):
            _need(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("steps", "validate_every", "threads", "workers"):
            value = getattr(self, name)
            _need(value is None or value >= 1, name, "at least 1", value)
        for name in ("seed", "warmup", "weight_decay", "remember"):
            _need(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        _need(self.lr is None or self.lr > 0, "lr", "more than 0", self.lr)
        _need(0 <= self.ema < 1, "ema", "from 0 to below 1", self.ema)
        if self.batch % self.accumulate:
            raise TrainingError(
                f"a batch of {self.batch} does not divide into {self.accumulate} equal parts: "
                "choose an accumulate that divides batch"
            )

    def values(self) -> dict[str, Any]:
        """All values by name, except the method: what ``make_recipe`` takes."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in own.items() if name not in ("method", "options")} | asdict(self.options)

    def to_toml(self) -> str:
        """The same recipe always gives the same text; ``from_toml`` gives the recipe back."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "options"}
        lines = f"format = {FORMAT}\n{to_toml(own)}"
        return f"{lines}\n[options]\n{to_toml(asdict(self.options))}"

    @property
    def fingerprint(self) -> str:
        """A hash over what decides each step: two recipes that differ only in ``ELSEWHERE`` and ``LENGTH`` have one.

        Values that are defaults do not count, so that a run can still be resumed when a later version has more keys.
        """
        known = [field for record in (self, self.options) for field in fields(record) if field.name != "options"]
        values = self.values() | {"method": self.method}
        changes = {
            field.name: values[field.name]
            for field in known
            if field.name not in (*ELSEWHERE, *LENGTH) and values[field.name] != field.default
        }
        return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()


def _need(holds: bool, name: str, what: str, value: object) -> None:
    if not holds:
        raise TrainingError(f"{name} must be {what}, not {value}: change it with --set {name}=...")


def make_recipe(method: str, given: Mapping[str, Any], source: str) -> Recipe:
    """A recipe from values by name, of the recipe's own fields and of the method's options alike.

    What is not given has its default. ``source`` names where the values come from, for messages.
    """
    options_type = method_class(method).options_type
    own = {name: kind for name, kind in kinds_of(Recipe).items() if name not in ("method", "options")}
    choices = kinds_of(options_type)
    if both := own.keys() & choices.keys():
        raise TypeError(f"{options_type.__name__} must not use the recipe's own names: {', '.join(sorted(both))}")
    for name in given:
        if name not in own and name not in choices:
            raise unknown_key(name, (*own, *choices), method, source)
    values = {name: _typed(name, value, (own | choices)[name], source) for name, value in given.items()}
    options = options_type(**{name: value for name, value in values.items() if name in choices})
    return Recipe(method=method, options=options, **{name: value for name, value in values.items() if name in own})


def changed(recipe: Recipe, given: Mapping[str, Any], source: str) -> Recipe:
    """The recipe with ``given`` values in place of its own; not of its preset, which only names where it came from."""
    if given.get("preset", recipe.preset) != recipe.preset:
        raise TrainingError(
            f"{source}: this recipe was made from the preset {recipe.preset}, and another name would not change its"
            f" values: start a new run with --preset {given['preset']}"
        )
    return make_recipe(recipe.method, {**recipe.values(), **given}, source)


def unknown_key(name: str, known: Iterable[str], method: str, source: str) -> TrainingError:
    """The sentence for a key that no recipe of this method has."""
    known = tuple(known)
    close = nearest(name, known)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(sorted(known))}"
    return TrainingError(f"{source}: a recipe of {method} has no key {name!r}; {hint}")


def _typed(name: str, value: object, kind: Any, source: str) -> Any:
    try:
        return convert(value, kind)
    except ValueError as error:
        raise TrainingError(f"{source}: {name} must be {error}, not {value!r}") from error


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """Arguments of ``--set key=value`` by key; the last one for a key counts."""
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise TrainingError(f"--set takes key=value, such as --set epochs=10, not {setting!r}")
        found[key.strip().replace("-", "_")] = value.strip()
    return found


def read_recipe(file: Path) -> Recipe:
    """The recipe in a TOML file as ``Recipe.to_toml`` writes it."""
    try:
        data = tomllib.loads(read_bounded(file).decode())
    except FileNotFoundError:
        raise TrainingError(f"there is no recipe {file}: name a run folder or the recipe.toml in one") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, not TOML, or too many digits
        raise TrainingError(f"{file} cannot be read as a recipe ({error}): correct it") from error
    if (version := data.pop("format", FORMAT)) != FORMAT:
        raise TrainingError(f"{file} has format {version}, and this sketchseek reads {FORMAT}: install a newer one")
    method, options = data.pop("method", None), data.pop("options", {})
    if not isinstance(method, str) or not isinstance(data.get("data"), str) or not isinstance(options, dict):
        raise TrainingError(f"{file} must name a method and the data it is trained on, as text")
    try:
        method_class(method)
    except SketchseekError as error:
        raise TrainingError(f"{file}: {error}") from error
    return make_recipe(method, data | options, str(file))
