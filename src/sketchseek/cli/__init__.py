"""The ``sketchseek`` command: one file per verb, each loaded only when it is called.

stdout is data, stderr is talk. Exit codes: 0 done, 1 a mistake the message names, 2 wrong usage, 130 interrupted.
"""

import sys
import warnings
from importlib import import_module

import click

from sketchseek import __version__
from sketchseek.errors import SketchseekError

# verb -> (module that holds it as `command`, its line in --help); the line is here so that help imports no verb
VERBS = {
    "index": ("sketchseek.cli.index", "Take folders of photos into a gallery, or bring it up to date."),
    "search": ("sketchseek.cli.search", "Find photos by drawing, words or example."),
    "serve": ("sketchseek.cli.serve", "Open the page to draw on, and its HTTP API."),
    "gallery": ("sketchseek.cli.gallery", "Look after a gallery: info, verify, rebuild, forget, copy, switch."),
    "doctor": ("sketchseek.cli.doctor", "Say what is installed and whether it works."),
    "models": ("sketchseek.cli.models", "List the models that search, and the backbones that train."),
    "datasets": ("sketchseek.cli.datasets", "Check datasets on disk, list the published splits."),
    "train": ("sketchseek.cli.train", "Train a method on sketches and photos."),
    "export": ("sketchseek.cli.export", "Write a run or a backbone as a model folder to search with."),
    "score": ("sketchseek.cli.score", "Measure anybody's vectors with every metric."),
    "evaluate": ("sketchseek.cli.evaluate", "Measure a model on a dataset by a protocol of the field."),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported when they are needed, not before."""

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
    """Run the command line; every mistake a user can mend ends in one sentence on stderr."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about files with damaged metadata, which open all the same
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
