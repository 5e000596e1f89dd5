"""Get a model before a command uses it: ask before a long download, show how far it is, say what to type next."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from sketchseek.cli.output import human_size, print_message
from sketchseek.cli.progress import stages
from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.engine.get import Got

ASK_FROM = 50_000_000  # bytes


def get_and_say(name: str, *, as_name: str | None = None, int8: bool = False, agreed: bool = False) -> "Got":
    """``get_model`` with a question on a terminal before more than ``ASK_FROM`` bytes, and with progress."""
    from sketchseek.engine.get import get_model

    def agree(called: str, size: int) -> None:
        if size > ASK_FROM and not agreed and sys.stdin.isatty() and sys.stderr.isatty():
            click.confirm(f"Download {called} ({human_size(size)})?", default=True, abort=True, err=True)

    show: Callable[[str, int, int], None] | None = None
    with ExitStack() as stack:

        def report(what: str, done: int, total: int) -> None:
            nonlocal show
            if total == 1 and not sys.stderr.isatty():
                return  # a step without a count is shown as a bar only
            if show is None:  # not before the question: a bar would draw over it
                show = stack.enter_context(stages())
            show(what, done, total)

        got = get_model(name, as_name=as_name, int8=int8, agree=agree, report=report)
    if got.run:
        print_message(
            f"sketchseek: {got.name} is a run, which searching cannot use as it is: "
            f"sketchseek export {got.folder} --out FOLDER makes a model folder of it"
        )
    elif got.new:
        print_message(f"sketchseek: {got.name} is here: sketchseek index --model {got.name} uses it")
    else:
        print_message(f"sketchseek: {got.name} was here already")
    return got


def model_for(name: str | None, *, yes: bool) -> str | None:
    """``name`` as the gallery takes it; a published model that is not here is downloaded first, if the user agrees."""
    if name is None:
        return None
    from sketchseek.engine import find_model
    from sketchseek.hub.catalog import published
    from sketchseek.hub.names import model_on_hub

    spec = model_on_hub(name)
    if spec is None or find_model(name) is not None:
        return name  # here, or an error that loading it explains
    entry = published().get(spec)
    size = entry.bytes if entry else None
    small = size is not None and size <= ASK_FROM
    if not (yes or small or (sys.stdin.isatty() and sys.stderr.isatty())):
        about = f" ({human_size(size)})" if size else ""
        raise SketchseekError(
            f"the model {name} is not on this machine: sketchseek models get {name} downloads it{about}; "
            "--yes does so here"
        )
    return get_and_say(name, agreed=yes).name
