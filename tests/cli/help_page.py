"""Print docs/guide/cli.md: the ``--help`` of every command, as the docs show it (``make docs``)."""

from collections.abc import Iterator

import click

from sketchseek.cli import cli

HEAD = """# The command line

Written by `make docs` from the commands; a test fails if this page differs from them.
Data goes to stdout, messages go to stderr. Exit codes: 0 done, 1 an error that the message explains, 2 wrong usage,
130 interrupted."""


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            # The same context as in a real call: it inherits the settings of the help.
            with click.Context(child, info_name=name, parent=context, **child.context_settings) as inner:
                yield from commands(child, inner)


def page() -> str:
    parts = [HEAD]
    with click.Context(cli, info_name="sketchseek", **{**cli.context_settings, "terminal_width": 100}) as context:
        for command, inner in commands(cli, context):
            parts.append(f"## {inner.command_path}\n\n```text\n{command.get_help(inner)}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")
