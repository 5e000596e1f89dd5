"""A command with commands of its own, which suggests the right one for a mistyped name."""

import click

from sketchseek.wording import nearest


class SuggestingGroup(click.Group):
    """``click.Group``, with "Did you mean ...?"."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            close = nearest(args[0], self.list_commands(ctx))
            hint = f"Did you mean {' or '.join(close)}?" if close else "Its commands are listed by --help."
            raise click.UsageError(f"No such command '{args[0]}'. {hint}", ctx)
        return super().resolve_command(ctx, args)
