"""Attack sketchseek with thousands of seeded cases: python -m tests.campaign [--quick] [--only NAME [--case N]].

The same command goes on where the last one was stopped, and repeats the cases that failed.
"""

import sys
from pathlib import Path

import click

from tests.campaign.campaigns import NAMES, load
from tests.campaign.runner import ROOT, State, run_campaign, run_case, table


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="A few minutes instead of an hour.")
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Only this campaign; may be repeated.")
@click.option("--case", type=int, help="Only this case of one campaign, without the state.")
@click.option("--seed", type=int, default=0, help="Other cases.", show_default=True)
@click.option("--state", type=click.Path(path_type=Path), help="The file that remembers what was done.")
@click.option("--again", is_flag=True, help="Start from the beginning.")
def main(quick: bool, only: tuple[str, ...], case: int | None, seed: int, state: Path | None, again: bool) -> None:
    names = list(only or NAMES)
    if case is not None:
        if len(only) != 1:
            raise click.UsageError("--case needs one --only NAME")
        error = run_case(names[0], case, seed)
        print(error or "no failure")
        sys.exit(bool(error))
    kept = State(state or ROOT / "build" / "campaign" / f"{'quick' if quick else 'full'}-{seed}.json")
    for name in names:
        if again:
            kept.progress.pop(name, None)
        campaign = load(name).CAMPAIGN
        run_campaign(name, campaign.quick if quick else campaign.full, kept, seed)
    print(table(names, kept, seed))
    sys.exit(any(kept.of(name).failures for name in names))


if __name__ == "__main__":
    main()
