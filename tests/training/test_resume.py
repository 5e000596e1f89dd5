"""A training process is killed for real, at random moments, and goes on as if nothing had happened."""

import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sketchseek.training import files
from sketchseek.training.recipe import Recipe, read_recipe
from sketchseek.training.session import train
from tests.training.test_session import log, same_run
from tests.training.toys import use_toys

KILLS = 5


def work(recipe_file: str, folder: str, resume: bool) -> None:
    """What the processes do."""
    use_toys()
    train(read_recipe(Path(recipe_file)), Path(folder), resume=resume)


def written(folder: Path) -> int:
    """Bytes of the log, as a measure of how far a training is."""
    return (folder / files.LOG).stat().st_size if (folder / files.LOG).is_file() else 0


def test_killed_and_resumed_equals_uninterrupted(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    one = recipe(epochs=10, save_every=4, validate_every=7, log_every=1, pause=0.02)
    train(one, tmp_path / "whole")
    recipe_file, folder = tmp_path / "recipe.toml", tmp_path / "killed"
    recipe_file.write_text(one.to_toml())
    lottery = random.Random(1)
    killed = 0
    # A server that has imported everything forks a fresh process in an instant.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def start() -> multiprocessing.Process:
        resume = (folder / files.RECIPE).is_file()
        process = context.Process(target=work, args=(str(recipe_file), str(folder), resume))
        process.start()
        return process  # type: ignore[return-value]

    for _ in range(KILLS):
        before, process = written(folder), start()
        grown = lottery.randrange(2000)  # up to a few steps
        while process.is_alive() and written(folder) - before < grown:
            before = min(before, written(folder))  # what the killed one logged too much is cut off first
            time.sleep(0.001)
        time.sleep(lottery.uniform(0, 0.02))
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed, "the training was always over before it could be killed"
    process = start()
    process.join()
    assert process.exitcode == 0
    assert same_run(tmp_path / "whole", folder)
    assert log(folder)[-1][0] == str(10 * 6)
    assert read_recipe(folder / files.RECIPE) == replace(one)
