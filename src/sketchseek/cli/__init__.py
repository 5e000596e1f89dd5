"""The ``sketchseek`` command: one file per verb, each loaded only when it is called.

Data goes to stdout, messages go to stderr. Exit codes: 0 done, 1 an error that the message explains, 2 wrong usage,
3 a result that differs from what was expected, 130 interrupted.
"""

import sys
import warnings
from importlib import import_module

import click

from sketchseek import __version__
from sketchseek.cli.groups import SuggestingGroup
from sketchseek.errors import SketchseekError

# verb -> (module that defines it as `command`, its line in --help); the line is here so that help imports no verb
VERBS = {
    "index": ("sketchseek.cli.index", "Index folders of photos, or bring a gallery up to date."),
    "search": ("sketchseek.cli.search", "Find photos by drawing, words or example."),
    "serve": ("sketchseek.cli.serve", "Open the page to draw on, and its HTTP API."),
    "collections": (
        "sketchseek.cli.collections",
        "Photos that belong together: list, add, remove, rename, export.",
    ),
    "gallery": ("sketchseek.cli.gallery", "Manage a gallery: info, verify, rebuild, forget, copy, switch."),
    "doctor": ("sketchseek.cli.doctor", "Show what is installed and whether it works."),
    "models": ("sketchseek.cli.models", "Models to search with: list, get, check, remove, push."),
    "datasets": ("sketchseek.cli.datasets", "Check datasets on disk, or list the published splits."),
    "train": ("sketchseek.cli.train", "Train a method on sketches and photos."),
    "export": ("sketchseek.cli.export", "Export a run or a backbone as a model folder to search with."),
    "score": ("sketchseek.cli.score", "Measure the vectors of any model with every metric."),
    "evaluate": ("sketchseek.cli.evaluate", "Measure a model on a dataset with a standard protocol."),
    "reproduce": ("sketchseek.cli.reproduce", "Repeat a row of the papers' tables, and compare."),
}


class LazyGroup(SuggestingGroup):
    """A group whose commands are imported when they are needed, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(VERBS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="sketchseek")
def cli() -> None:
    """Find photos from drawings."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error that a user can fix ends in one sentence on stderr."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about damaged metadata in files that open nevertheless
    try:
        code = cli.main(args=arguments, prog_name="sketchseek", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except SketchseekError as error:
        click.echo(f"sketchseek: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("sketchseek: interrupted", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
