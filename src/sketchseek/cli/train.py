"""``sketchseek train``: train a method on a dataset and write a run folder."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import print_json, print_message, print_table
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command

if TYPE_CHECKING:
    from sketchseek.training.recipe import Recipe
    from sketchseek.training.session import Outcome

NEEDED = ("torch", "transformers", "safetensors", "matplotlib")


@click.command(short_help="Train a method on sketches and photos.")
@click.argument("method", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the dataset.")
@click.option("--backbone", help="Frozen model to adapt, a name or a folder.  [default: lite]")
@click.option("--trust-pickle", is_flag=True, help="Allow weights saved as pickles; only if you trust their author.")
@click.option(
    "--setting",
    type=click.Choice(["category", "fine-grained"]),
    help="Which photos are right: all of the sketch's class, or only the one it was drawn from.  [default: category]",
)
@click.option("--preset", help="Named set of values for everything else in the recipe.  [default: default]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set one value of the recipe, such as epochs=10; may be repeated.",
)
@click.option("--epochs", type=int, metavar="N", help="Length of the training; with --resume, a longer one extends it.")
@click.option("--steps", type=int, metavar="N", help="The same in steps, instead of epochs.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="KEY=VALUE,VALUE",
    help="Train once with each value, below --out, and print a table; several make all combinations.",
)
@click.option(
    "--recipe",
    "recipe_file",
    type=click.Path(path_type=Path),
    help="Repeat the training of this recipe.toml or run folder.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to write.  [default: a new folder in runs/]")
@click.option("--resume", is_flag=True, help="Continue the run in --out where it stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    method: str | None,
    data: Path | None,
    backbone: str | None,
    trust_pickle: bool,
    setting: str | None,
    preset: str | None,
    settings: tuple[str, ...],
    epochs: int | None,
    steps: int | None,
    sweeps: tuple[str, ...],
    recipe_file: Path | None,
    out: Path | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Train METHOD on a dataset and write a run folder that `evaluate --model` reads.

    METHOD is a name such as clip-at, or module:Class for one of your own.

    The best state is chosen on held-out seen classes, never on test classes. Ctrl-C saves the run and prints the
    command that continues it. With --resume or --recipe, METHOD and --data can be omitted. A sweep with the same --out
    continues where it stopped.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SketchseekError(f"training requires {', '.join(missing)}; run: {extra_command('train')}")
    from sketchseek.cli.training_display import training_display
    from sketchseek.training.errors import Interrupted
    from sketchseek.training.recipe import parse_settings, read_recipe
    from sketchseek.training.session import recipe_to_resume, train

    given: dict[str, Any] = {"data": data and str(data.resolve()), "backbone": backbone and absolute_if_path(backbone)}
    given |= {"setting": setting, "preset": preset, "epochs": epochs, "steps": steps}
    given = {key: value for key, value in given.items() if value is not None} | parse_settings(settings)
    if epochs is not None and steps is None:
        given["steps"] = None  # which would count instead
    if resume:
        if sweeps:
            raise click.UsageError("--sweep continues by itself where --out has its runs: omit --resume")
        if out is None or recipe_file is not None:
            raise click.UsageError("--resume requires --out RUN, and cannot be used with --recipe")
        recipe = _with_changes(recipe_to_resume(out), method, given)
    elif recipe_file is not None:
        recipe = _with_changes(read_recipe(_recipe_file(recipe_file)), method, given)
    else:
        if method is None or data is None:
            raise click.UsageError("name a METHOD and its --data, or a --recipe, or --out RUN --resume")
        recipe = _from_preset(method, given)
    folder = out or _free_folder(recipe)
    if sweeps:
        _sweep(recipe, sweeps, folder, trust_pickle=trust_pickle, as_json=as_json)
        return
    try:
        with training_display() as progress:
            outcome = train(recipe, folder, resume=resume, trust_pickle=trust_pickle, progress=progress)
    except Interrupted:
        if not _is_main_process():
            sys.exit(Interrupted.exit_code)
        raise
    if _is_main_process():
        _show(recipe, outcome, as_json)


def _sweep(recipe: "Recipe", sweeps: tuple[str, ...], folder: Path, *, trust_pickle: bool, as_json: bool) -> None:
    """Train all combinations and print them, the best one first."""
    from sketchseek.cli.training_display import training_display
    from sketchseek.training.sweep import Trial, parse_sweeps, sweep

    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise SketchseekError("a sweep runs in one process: start it without torchrun")
    trials: list[Trial] = []
    with training_display() as progress:
        for trial in sweep(recipe, parse_sweeps(sweeps), folder, trust_pickle=trust_pickle, progress=progress):
            trials.append(trial)
            print_message(f"{trial.folder}: {trial.failure or f'best {trial.score:.4f}'}")
    trials.sort(key=lambda trial: -trial.score)
    if as_json:
        print_json(
            [
                {
                    "run": str(trial.folder),
                    "values": trial.values,
                    "best": trial.best and {"step": trial.best.step, "values": trial.best.values},
                    "failure": trial.failure,
                }
                for trial in trials
            ]
        )
        return
    metrics = next((list(trial.best.values) for trial in trials if trial.best), [])
    rows = [
        [*trial.values.values(), str(trial.best.step), *(f"{trial.best.values[name]:.4f}" for name in metrics)]
        if trial.best
        else [*trial.values.values(), "failed", *("" for _ in metrics)]
        for trial in trials
    ]
    print_table(rows, [*trials[0].values, "best step", *metrics])


def _is_main_process() -> bool:
    """Whether this process prints, of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def absolute_if_path(backbone: str) -> str:
    """Paths become absolute, so that the recipe works from any folder; names stay."""
    path = Path(backbone).expanduser()
    return str(path.resolve()) if path.exists() else backbone


def _from_preset(method: str, given: dict[str, Any]) -> "Recipe":
    from sketchseek.datasets import open_dataset
    from sketchseek.training.presets import recipe_from_preset

    dataset = open_dataset(given["data"], given.get("dataset"))
    preset, setting = given.get("preset", "default"), given.get("setting", "category")
    return recipe_from_preset(method, preset, setting, dataset.name, given, "--set")


def _recipe_file(path: Path) -> Path:
    """The recipe in a run folder, or the file itself."""
    return path / "recipe.toml" if path.is_dir() else path


def _with_changes(saved: "Recipe", method: str | None, given: dict[str, Any]) -> "Recipe":
    """A saved recipe, with the values of this call in place of its own."""
    from sketchseek.training.recipe import changed

    if method not in (None, saved.method):
        raise SketchseekError(f"the recipe trains {saved.method}, not {method}: omit the method, or start a new run")
    return changed(saved, given, "--set")


def _free_folder(recipe: "Recipe") -> Path:
    """A folder in runs/ that does not exist yet."""
    name = f"{recipe.method.replace(':', '.')}-{recipe.setting}-{Path(recipe.data).name}-seed{recipe.seed}"
    folders = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, sys.maxsize))
    return next(folder for folder in folders if not folder.exists())


def _show(recipe: "Recipe", outcome: "Outcome", as_json: bool) -> None:
    best = outcome.best
    if as_json:
        print_json(
            {
                "run": str(outcome.folder),
                "method": recipe.method,
                "setting": recipe.setting,
                "data": recipe.data,
                "backbone": recipe.backbone,
                "seed": recipe.seed,
                "steps": outcome.steps,
                "trained_parameters": outcome.trained,
                "best": {"step": best.step, "metric": best.metric, "values": best.values},
                "seconds": outcome.seconds,
            }
        )
    else:
        rows = [["run", str(outcome.folder)], ["trained parameters", f"{outcome.trained:,}"]]
        rows += [["best step", f"{best.step} of {outcome.steps}"]]
        rows += [[f"validation {best.metric}", f"{best.values[best.metric]:.4f}"]] if best.metric else []
        print_table(rows)
    if outcome.was_finished:
        print_message(f"{outcome.folder} was finished already; to train longer, add --epochs or --steps")
    protocol = "fine-grained" if recipe.setting == "fine-grained" else "zero-shot"
    print_message(f"next: sketchseek evaluate --model {outcome.folder} --data {recipe.data} --protocol {protocol}")
