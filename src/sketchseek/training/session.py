"""From a recipe to a run folder: open and check everything, put it together, and let ``loop`` train it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sketchseek.clip.backbone import Backbone
from sketchseek.clip.devices import choose_device
from sketchseek.datasets import Dataset, Drawing, Photo, open_dataset
from sketchseek.evaluation.protocols import Task
from sketchseek.methods.method import Method, Modality
from sketchseek.methods.registry import method_class
from sketchseek.parallel import usable_cores
from sketchseek.training import files
from sketchseek.training.averaging import Average
from sketchseek.training.backbones import open_backbone, weights_identity
from sketchseek.training.card import model_card
from sketchseek.training.checkpoint import AdapterFacts, Best, TrainingState, load_state, restore, save_adapter
from sketchseek.training.data.feed import Feed
from sketchseek.training.data.material import Material, training_material, validation_task
from sketchseek.training.data.pixels import Pixels, prepared_pixels
from sketchseek.training.data.timetable import Timetable
from sketchseek.training.distributed import World, world_of
from sketchseek.training.errors import TrainingError
from sketchseek.training.files import write_whole
from sketchseek.training.log import cut
from sketchseek.training.loggers import open_logger
from sketchseek.training.loop import Training
from sketchseek.training.optimise import build_optimiser, choose_precision
from sketchseek.training.progress import NoProgress, Progress
from sketchseek.training.recipe import ELSEWHERE, LENGTH, Recipe, read_recipe
from sketchseek.training.signals import stop_on_signals
from sketchseek.training.stem_cache import StemCache, cache_stem
from sketchseek.training.validation import Validator

ReadPixels = Callable[[Sequence[Drawing | Photo], Modality], Pixels]


@dataclass(frozen=True)
class Outcome:
    """The result of a training."""

    folder: Path
    steps: int
    best: Best
    trained: int  # parameters
    seconds: float  # of this process, preparation included
    was_finished: bool  # nothing was left to do


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    trust_pickle: bool = False,
    progress: Progress | None = None,
    stem_cache: StemCache | None = None,
) -> Outcome:
    """Train into ``folder``; with ``resume``, continue from the state in it, which the same recipe must have written.

    Only the length may differ: more epochs or steps extend a run.

    ``trust_pickle``: allow a backbone whose weights are a pickle; a recipe cannot allow it, because recipes are shared.
    ``stem_cache``: for a recipe with ``remember``, a cache to share with other trainings.

    Under ``torchrun`` every process calls this; only the first one writes files and reports progress.
    """
    begun = time.monotonic()
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    torch.set_float32_matmul_precision("high" if recipe.tf32 else "highest")
    with world_of(choose_device(recipe.device).type) as world:
        training, dataset = prepare_training(
            recipe,
            folder,
            resume=resume,
            trust_pickle=trust_pickle,
            progress=progress if world.leads else None,
            stem_cache=stem_cache,
            world=world,
        )
        was_finished = training.state.step >= training.feed.timetable.steps
        if not was_finished:
            if world.leads:
                training.logger = open_logger(recipe, folder, training.state.step)
            try:
                with stop_on_signals() as stop:
                    training.run(stop)
            finally:
                if training.logger is not None:
                    training.logger.close()
        best = training.state.best or Best(training.state.step, None, {})
        if world.leads:
            card = model_card(folder, recipe, training.method, dataset, training.feed.material, best)
            write_whole(folder / files.CARD, card)
        world.wait()
    trained = sum(p.numel() for group in training.method.groups() for p in group.parameters)
    return Outcome(folder, training.feed.timetable.steps, best, trained, time.monotonic() - begun, was_finished)


def prepare_training(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    trust_pickle: bool = False,
    progress: Progress | None = None,
    stem_cache: StemCache | None = None,
    world: World | None = None,
) -> tuple[Training, Dataset]:
    """The training where it left off, and its dataset. Cheap checks come first, the preparation of pictures last."""
    progress, world = progress or NoProgress(), world or World()
    _check_folder(recipe, folder, resume)
    world.wait()  # before the first process writes there
    method_type = _method_type(recipe)
    device = choose_device(recipe.device, world.local_rank)
    precision = choose_precision(recipe.amp, device)
    dataset = open_dataset(recipe.data, recipe.dataset)
    material = training_material(dataset, recipe)
    task = validation_task(dataset, recipe, material)

    backbone = open_backbone(recipe, trust_pickle=trust_pickle)
    state = TrainingState(recipe.fingerprint, material.fingerprint, weights_identity(backbone), world.size)
    method = _build_method(method_type, recipe, backbone, material, device)
    if recipe.remember:
        cache_stem(backbone, StemCache(recipe.remember) if stem_cache is None else stem_cache)
    timetable = _timetable(recipe, method, material, world)
    workers = recipe.workers or usable_cores()
    optimiser = build_optimiser(method, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
    average = Average(method, recipe.ema) if recipe.ema else None
    best: dict[str, Tensor] = {}
    if resume and (folder / files.STATE).is_file():
        state, tensors = _load_matching_state(folder, state)
        best = restore(tensors, method, optimiser, average)
        scaler.load_state_dict(state.scaler)
        _check_length(state, timetable, folder)
    if world.leads:
        _write_start(recipe, folder, state, best, material)
    world.wait()

    read_pixels = _pixel_reader(dataset, backbone, workers, progress)
    with world.one_at_a_time():
        feed = _feed(recipe, method, material, timetable, read_pixels, workers=workers, world=world, device=device)
    validator = None
    if task is not None and world.leads:
        validator = _validator(recipe, backbone, dataset, task, read_pixels, device=device)
    training = Training(
        recipe=recipe,
        folder=folder,
        method=method,
        optimiser=optimiser,
        scaler=scaler,
        precision=precision,
        feed=feed,
        validator=validator,
        state=state,
        best=best,
        world=world,
        progress=progress,
        average=average,
    )
    return training, dataset


def _check_folder(recipe: Recipe, folder: Path, resume: bool) -> None:
    """A new run needs a folder without a run; a resumed one the folder of the same recipe."""
    if not resume:
        if (folder / files.RECIPE).exists():
            raise TrainingError(f"{folder} already holds a run: continue it with --resume, or name another --out")
        return
    saved = recipe_to_resume(folder)
    if saved.fingerprint != recipe.fingerprint:
        before, now = saved.values(), recipe.values()
        changed = [key for key in now if key not in (*ELSEWHERE, *LENGTH) and now[key] != before.get(key)]
        raise TrainingError(
            f"{folder} was begun with another recipe ({', '.join(changed)} differ): drop the change, or begin a new "
            "run with another --out"
        )


def _method_type(recipe: Recipe) -> type[Method]:
    """The class of the recipe's method, which must have the recipe's setting."""
    found = method_class(recipe.method)
    if recipe.setting not in found.settings:
        raise TrainingError(f"{recipe.method} has no {recipe.setting} setting: choose --setting {found.settings[0]}")
    return found


def _build_method(
    method_type: type[Method], recipe: Recipe, backbone: Backbone, material: Material, device: torch.device
) -> Method:
    """The method as training begins, drawn with the recipe's seed, on its device."""
    torch.manual_seed(recipe.seed)
    method = method_type(backbone, material.class_names, recipe.setting, recipe.options).to(device)
    if not method.groups():
        raise TrainingError(
            f"{recipe.method} trains nothing: sketchseek evaluate --model {recipe.backbone} measures it"
        )
    return method


def _timetable(recipe: Recipe, method: Method, material: Material, world: World) -> Timetable:
    """Which sketches each step trains on, over all processes."""
    return Timetable(
        material.sketch_labels,
        method.batch_plan(),
        batch=recipe.batch * world.size,
        parts=recipe.accumulate * world.size,
        processes=world.size,
        epochs=recipe.epochs,
        steps=recipe.steps,
        seed=recipe.seed,
    )


def _check_length(state: TrainingState, timetable: Timetable, folder: Path) -> None:
    """A run cannot become shorter than it is."""
    if state.step > timetable.steps:
        raise TrainingError(
            f"{folder} has trained {state.step} steps, and this recipe ends after {timetable.steps}: name more "
            "--epochs or --steps to extend it, or begin a new run with another --out"
        )


def _load_matching_state(folder: Path, fresh: TrainingState) -> tuple[TrainingState, dict[str, Tensor]]:
    """The saved state and its tensors, if recipe, data, backbone and processes are those of ``fresh``."""
    state, tensors = load_state(folder / files.STATE)
    for name, why in (
        ("recipe", "its recipe.toml has changed: restore it"),
        ("material", "the dataset has other pictures now: restore them"),
        ("backbone", "the backbone has other weights now: use the ones it was begun with"),
        ("processes", f"it ran in {state.processes} process(es): start as many"),
    ):
        if getattr(state, name) != getattr(fresh, name):
            raise TrainingError(f"{folder} cannot continue, {why}, or begin a new run with another --out")
    return state, tensors


def _write_start(
    recipe: Recipe, folder: Path, state: TrainingState, best: dict[str, Tensor], material: Material
) -> None:
    """Bring the files of the run to where ``state`` is: what a killed process wrote after that is undone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be created ({error.strerror}): name another --out") from error
    write_whole(folder / files.RECIPE, recipe.to_toml())
    cut(folder / files.LOG, state.step or -1)  # a new training validates at step 0
    if state.best is not None:
        save_adapter(folder / files.ADAPTER, best, AdapterFacts(state.backbone, material.class_names, state.best))
    else:
        (folder / files.ADAPTER).unlink(missing_ok=True)


def _pixel_reader(dataset: Dataset, backbone: Backbone, workers: int, progress: Progress) -> ReadPixels:
    """A function that gives the prepared pictures of sketches or photos of the dataset."""

    def read(items: Sequence[Drawing | Photo], modality: Modality) -> Pixels:
        record = backbone.sketches if modality == "sketch" else backbone.photos
        paths = [dataset.file(item) for item in items]
        return prepared_pixels(paths, modality, record, workers=workers, progress=progress)

    return read


def _feed(
    recipe: Recipe,
    method: Method,
    material: Material,
    timetable: Timetable,
    read_pixels: ReadPixels,
    *,
    workers: int,
    world: World,
    device: torch.device,
) -> Feed:
    """The batches of this process."""
    return Feed(
        material=material,
        setting=recipe.setting,
        sketches=read_pixels(material.sketches, "sketch"),
        photos=read_pixels(material.photos, "photo"),
        sketch_record=method.backbone.sketches,
        photo_record=method.backbone.photos,
        timetable=timetable,
        augmentation=method.augmentation(),
        seed=recipe.seed,
        rank=world.rank,
        parts=recipe.accumulate,
        batch=recipe.batch,
        workers=workers,
        device=device,
    )


def _validator(
    recipe: Recipe, backbone: Backbone, dataset: Dataset, task: Task, read_pixels: ReadPixels, *, device: torch.device
) -> Validator:
    """Measures the method on the held-out pictures of ``task``."""
    return Validator(
        task=task,
        class_names=dataset.classes,
        sketches=read_pixels(task.queries, "sketch"),
        photos=read_pixels(task.gallery, "photo"),
        sketch_record=backbone.sketches,
        photo_record=backbone.photos,
        batch=recipe.batch // recipe.accumulate,
        device=device,
    )


def recipe_to_resume(folder: Path) -> Recipe:
    """The recipe of the run that was begun in ``folder``."""
    if not (folder / files.RECIPE).is_file():
        raise TrainingError(f"{folder} holds no run to continue: omit --resume to begin one there")
    return read_recipe(folder / files.RECIPE)
