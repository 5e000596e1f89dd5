"""From a recipe to a run folder: everything is opened, checked and put together here, and ``loop`` trains it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sketchseek.clip.devices import choose_device
from sketchseek.datasets import Dataset, Drawing, Photo, open_dataset
from sketchseek.methods.method import Modality
from sketchseek.methods.registry import method_class
from sketchseek.training import files
from sketchseek.training.backbones import open_backbone, weights_identity
from sketchseek.training.card import model_card
from sketchseek.training.checkpoint import AdapterFacts, Best, Counters, load_state, restore, save_adapter
from sketchseek.training.data.feed import Feed
from sketchseek.training.data.material import training_material, validation_task
from sketchseek.training.data.pixels import Pixels, prepared_pixels
from sketchseek.training.data.timetable import Timetable
from sketchseek.training.distributed import World, world_of
from sketchseek.training.errors import TrainingError
from sketchseek.training.files import write_whole
from sketchseek.training.log import cut
from sketchseek.training.loop import Training
from sketchseek.training.optimise import build_optimiser, choose_precision
from sketchseek.training.progress import Progress, Silent
from sketchseek.training.recipe import ELSEWHERE, Recipe, read_recipe
from sketchseek.training.signals import stop_on_signals
from sketchseek.training.stem_cache import StemMemory, remember
from sketchseek.training.validation import Validator


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    folder: Path
    steps: int
    best: Best
    trained: int  # parameters
    seconds: float  # of this process, with preparation
    was_finished: bool  # nothing was left to do


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    trust_pickle: bool = False,
    progress: Progress | None = None,
    memory: StemMemory | None = None,
) -> Outcome:
    """Train into ``folder``; with ``resume``, go on from the state in it, which the same recipe must have left.

    ``trust_pickle``: a backbone whose weights are a pickle may be opened; no recipe can say so, since recipes travel.
    ``memory``: for a recipe that remembers what the stem gives, one to share with other trainings.

    Under ``torchrun`` every process calls this, and the first one writes and tells.
    """
    begun = time.monotonic()
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    with world_of(choose_device(recipe.device).type) as world:
        told = progress if progress is not None and world.leads else Silent()
        training, dataset = _assemble(recipe, folder, resume, trust_pickle, told, world, memory)
        was_finished = training.counters.step >= training.feed.timetable.steps
        if not was_finished:
            with stop_on_signals() as stop:
                training.run(stop)
        best = training.counters.best or Best(training.counters.step, None, {})
        if world.leads:
            card = model_card(folder, recipe, training.method, dataset, training.feed.material, best)
            write_whole(folder / files.CARD, card)
        world.wait()
    trained = sum(p.numel() for group in training.method.groups() for p in group.parameters)
    return Outcome(folder, training.feed.timetable.steps, best, trained, time.monotonic() - begun, was_finished)


def _assemble(
    recipe: Recipe,
    folder: Path,
    resume: bool,
    trust_pickle: bool,
    progress: Progress,
    world: World,
    memory: StemMemory | None,
) -> tuple[Training, Dataset]:
    """All parts of the training, where it left off; what can be refused cheaply is refused first."""
    _check_folder(recipe, folder, resume)
    world.wait()  # before the first one writes there
    kind = method_class(recipe.method)
    if recipe.setting not in kind.settings:
        raise TrainingError(f"{recipe.method} has no {recipe.setting} setting: choose --setting {kind.settings[0]}")
    device = choose_device(recipe.device, world.local_rank)
    precision = choose_precision(recipe.amp, device)
    dataset = open_dataset(recipe.data, recipe.dataset)
    material = training_material(dataset, recipe)
    task = validation_task(dataset, recipe, material)

    backbone = open_backbone(recipe, trust_pickle=trust_pickle)
    identity = weights_identity(backbone)
    torch.manual_seed(recipe.seed)
    method = kind(backbone, material.words, recipe.setting, recipe.options).to(device)
    if not method.groups():
        raise TrainingError(
            f"{recipe.method} trains nothing: sketchseek evaluate --model {recipe.backbone} measures it"
        )
    if recipe.remember:
        remember(backbone, StemMemory(recipe.remember) if memory is None else memory)
    timetable = Timetable(
        material.sketch_labels,
        method.batch_plan(),
        batch=recipe.batch * world.size,
        parts=recipe.accumulate * world.size,
        epochs=recipe.epochs,
        steps=recipe.steps,
        seed=recipe.seed,
    )
    counters = Counters(recipe.fingerprint, material.fingerprint, identity, world.size)
    optimiser = build_optimiser(method, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)

    best: dict[str, Tensor] = {}
    if resume and (folder / files.STATE).is_file():
        counters, tensors = _checked_state(folder, counters)
        best = restore(tensors, method, optimiser)
        scaler.load_state_dict(counters.scaler)
    if world.leads:
        _settle(recipe, folder, counters, best, material.words)
    world.wait()

    def pixels(items: Sequence[Drawing | Photo], modality: Modality) -> Pixels:
        record = backbone.sketches if modality == "sketch" else backbone.photos
        paths = [dataset.file(item) for item in items]
        return prepared_pixels(paths, modality, record, workers=recipe.workers, progress=progress)

    with world.one_at_a_time():
        feed = Feed(
            material=material,
            setting=recipe.setting,
            sketches=pixels(material.sketches, "sketch"),
            photos=pixels(material.photos, "photo"),
            sketch_record=backbone.sketches,
            photo_record=backbone.photos,
            timetable=timetable,
            augmentation=method.augmentation(),
            seed=recipe.seed,
            rank=world.rank,
            parts=recipe.accumulate,
            batch=recipe.batch,
            workers=recipe.workers,
            device=device,
        )
    validator = None
    if task is not None and world.leads:
        validator = Validator(
            task=task,
            words=dataset.classes,
            sketches=pixels(task.queries, "sketch"),
            photos=pixels(task.gallery, "photo"),
            sketch_record=backbone.sketches,
            photo_record=backbone.photos,
            batch=recipe.batch // recipe.accumulate,
            device=device,
        )
    return (
        Training(
            recipe, folder, method, optimiser, scaler, precision, feed, validator, counters, best, world, progress
        ),
        dataset,
    )


def _check_folder(recipe: Recipe, folder: Path, resume: bool) -> None:
    if not resume:
        if (folder / files.RECIPE).exists():
            raise TrainingError(f"{folder} holds a run already: go on with it with --resume, or name another --out")
        return
    saved = recipe_to_resume(folder)
    if saved.fingerprint != recipe.fingerprint:
        before, now = saved.values(), recipe.values()
        changed = [key for key in now if key not in ELSEWHERE and now[key] != before.get(key)]
        raise TrainingError(
            f"{folder} was begun with another recipe ({', '.join(changed)} differ): leave the change out, or begin a "
            "new run with another --out"
        )


def _checked_state(folder: Path, fresh: Counters) -> tuple[Counters, dict[str, Tensor]]:
    """The saved state, if what it belongs to is what is here now."""
    counters, tensors = load_state(folder / files.STATE)
    for name, why in (
        ("recipe", "its recipe.toml was changed since: put it back"),
        ("material", "the dataset has other pictures now: bring it back to what it was"),
        ("backbone", "the backbone has other weights now: take those it was begun with"),
        ("processes", f"it ran in {counters.processes} process(es): start as many"),
    ):
        if getattr(counters, name) != getattr(fresh, name):
            raise TrainingError(f"{folder} cannot go on, {why}, or begin a new run with another --out")
    return counters, tensors


def _settle(recipe: Recipe, folder: Path, counters: Counters, best: dict[str, Tensor], words: tuple[str, ...]) -> None:
    """Bring the files of the run to where ``counters`` stand: what a killed process wrote after that is undone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be made ({error.strerror}): name another --out") from error
    write_whole(folder / files.RECIPE, recipe.to_toml())
    cut(folder / files.LOG, counters.step)
    if counters.best is not None:
        save_adapter(folder / files.ADAPTER, best, AdapterFacts(counters.backbone, words, counters.best))
    else:
        (folder / files.ADAPTER).unlink(missing_ok=True)


def recipe_to_resume(folder: Path) -> Recipe:
    """The recipe of the run that was begun in ``folder``."""
    if not (folder / files.RECIPE).is_file():
        raise TrainingError(f"{folder} holds no run to go on with: leave --resume out to begin one there")
    return read_recipe(folder / files.RECIPE)
