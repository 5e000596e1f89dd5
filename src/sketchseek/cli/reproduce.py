"""``sketchseek reproduce``: repeat a row of the papers' tables, or one of ours, and compare."""

import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import print_json, print_message, print_table
from sketchseek.cli.progress import stages
from sketchseek.cli.train import NEEDED, absolute_if_path
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command

if TYPE_CHECKING:
    from sketchseek.reproduce.plan import Data, Plan
    from sketchseek.reproduce.rows import Row
    from sketchseek.reproduce.run import Result

LIST = "list"


@click.command(short_help="Repeat a row of the papers' tables, and compare.")
@click.argument("row", metavar="ROW|list")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the dataset that the row trains on.")
@click.option(
    "--target", type=click.Path(path_type=Path), help="For cross-dataset rows: folder of the dataset to search in."
)
@click.option("--backbone", help="Another backbone than the row's, a name or a folder.")
@click.option("--trust-pickle", is_flag=True, help="Allow weights saved as pickles; only if you trust their author.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the row's recipe, such as accumulate=4; may be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: runs/reproduce/ROW]")
@click.option("--other-data", is_flag=True, help="Go on if the data is not the published one; nothing is comparable.")
@click.option("--dry-run", is_flag=True, help="Show every step and its cost, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    row: str,
    data: Path | None,
    target: Path | None,
    backbone: str | None,
    trust_pickle: bool,
    settings: tuple[str, ...],
    out: Path | None,
    other_data: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Repeat ROW, such as clip-at/sketchy-21: check the data, train, evaluate, compare with the published figures.

    `list` shows all rows. The same command continues an interrupted run. OUT gets the run, report.json and report.html.
    The exit code is 0 if every figure is within the tolerance, and 3 if one is not or if the data or the classes are
    not those of the figures.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SketchseekError(f"reproducing requires {', '.join(missing)}; run: {extra_command('train')}")
    from sketchseek.reproduce.plan import DONE, make_plan
    from sketchseek.reproduce.rows import find_row

    if row == LIST:
        if data or target or backbone or settings or out or dry_run:
            raise click.UsageError("list takes no option but --json")
        _list(as_json)
        return DONE
    from sketchseek.training.recipe import parse_settings

    found = find_row(row)
    if not dry_run and (data is None or (found.target and target is None)):
        for line in _where_from(found, data, target):
            click.echo(line)
        option = "--data" if data is None else "--target"
        raise SketchseekError(f"{row} needs its dataset: name its folder with {option}")
    with stages() as update:
        plan = make_plan(
            found,
            data=data,
            target=target,
            backbone=backbone and absolute_if_path(backbone),
            settings=parse_settings(settings),
            out=out,
            depth="names" if dry_run else "beginnings",
            progress=update,
        )
    if dry_run:
        print_json(_plan_data(plan)) if as_json else _show_plan(plan)
        return DONE
    return _run(plan, other_data=other_data, trust_pickle=trust_pickle, as_json=as_json)


def _run(plan: "Plan", *, other_data: bool, trust_pickle: bool, as_json: bool) -> int:
    from sketchseek.cli.training_display import training_display
    from sketchseek.reproduce.run import run

    if not as_json:
        _show_plan(plan)
    result = run(
        plan,
        command=shlex.join(["sketchseek", *sys.argv[1:]]),
        other_data=other_data,
        trust_pickle=trust_pickle,
        training_progress=training_display,
        stages=stages,
        note=print_message,
    )
    if as_json:
        click.echo(result.report.read_text(encoding="utf-8"), nl=False)
    else:
        _show(result)
    return result.exit_code


def _list(as_json: bool) -> None:
    from sketchseek.reproduce.rows import cost, published_triplets, rows, tolerance

    hours = {row.id: cost().hours(row, published_triplets(row)) for row in rows()}
    if as_json:
        print_json([{**_row_data(row), "hours": hours[row.id], "gpu": cost().gpu} for row in rows()])
        return
    print_table(
        [[row.id, row.status, _figures(row), row.preset, _hours(row, hours[row.id])] for row in rows()],
        ["row", "status", "figures", "preset", "hours"],
    )
    print_message(
        f"hours: estimated for one {cost().gpu} from counted operations, not measured; a figure is reproduced within"
        f" {tolerance():g} points of percent"
    )


def _row_data(row: "Row") -> dict[str, Any]:
    return {
        "row": row.id,
        "status": row.status,
        "source": row.source,
        "method": row.method,
        "setting": row.setting,
        "protocol": row.protocol,
        "split": row.split,
        "figures": dict(row.figures),
        "backbone": row.backbone,
        "preset": row.preset,
        "set": row.recipe_values(),
    }


def _plan_data(plan: "Plan") -> dict[str, Any]:
    from sketchseek.reproduce.rows import cost, origins, tolerance

    row = plan.row
    names = {"data": row.data, "target": row.target}
    return {
        **_row_data(row),
        "tolerance": tolerance(),
        "out": str(plan.out),
        "backbone": plan.backbone,
        "changes": {key: {"row": before, "here": now} for key, (before, now) in plan.changes.items()},
        "recipe": plan.recipe.values() if row.trains else None,
        "triplets": plan.triplets,
        "hours": plan.hours,
        "gpu": cost().gpu,
        "data": plan.data and plan.data.to_json(),
        "target": plan.target and plan.target.to_json(),
        "origins": {
            key: {"dataset": name, "source": origins()[name].source, "steps": origins()[name].steps}
            for key, name in names.items()
            if name
        },
    }


def _show_plan(plan: "Plan") -> None:
    """Every step, with its cost."""
    from sketchseek.reproduce.rows import cost, tolerance

    row, recipe = plan.row, plan.recipe
    click.echo(f"{row.id}: {row.source}")
    click.echo(f"expected: {_figures(row)}, each within {tolerance():g} points of percent")
    for key, (before, now) in plan.changes.items():
        click.echo(f"changed: {key} is {now}, in the row {before}")
    click.echo("\n1. data")
    for line in _where_from(row, plan.data, plan.target):
        click.echo(f"   {line}")
    for data in (plan.data, plan.target):
        if data:
            click.echo(f"   {_about(row, data)}")
    click.echo(f"2. backbone: {plan.backbone}")
    if row.trains:
        count = "not known before the data is there" if plan.triplets is None else f"{plan.triplets:,} triplets"
        length = f"{recipe.steps} steps" if recipe.steps is not None else f"{recipe.epochs} epochs"
        click.echo(f"3. train {row.method}, preset {row.preset}: {length} of batches of {recipe.batch}; {count}")
        click.echo(f"   hours on one {cost().gpu}: {_hours(row, plan.hours)}")
    else:
        click.echo("3. nothing to train")
    seen = f", trained on {row.source_split}" if row.protocol == "cross" else ""
    also = "; support pictures stay queries (transductive)" if row.transductive else ""
    click.echo(f"4. evaluate: protocol {row.protocol}, classes {row.protocol_options().classes}{seen}{also}")
    click.echo(f"5. compare, and write report.json and report.html to {plan.out}\n")


def _about(row: "Row", data: "Data") -> str:
    dataset = data.dataset
    size = f"{len(dataset.classes)} classes, {len(dataset.sketches):,} sketches, {len(dataset.photos):,} photos"
    read = "files" if any(one.files for one in data.hashes) else "file names"
    same = f"the {read} are those of the figures" if row.hashes else "no count differs from a published one"
    verdict = "; ".join(data.differing) or same
    return f"{dataset.root}: {size}, layout {dataset.layout}: {verdict}"


def _where_from(row: "Row", data: object, target: object) -> Iterator[str]:
    """How to get the datasets that are not here."""
    from sketchseek.reproduce.rows import origins, title_of

    for name, here in ((row.data, data), (row.target, target)):
        if name and not here:
            yield f"{title_of(name)} is needed. {origins()[name].source}"
            yield from (f"  - {step}" for step in origins()[name].steps)


def _show(result: "Result") -> None:
    rows = [
        [one.metric, name, f"{one.expected:.2f}", f"{value:.2f}", f"{value - one.expected:+.2f}"]
        for one in result.figures
        for name, value in one.found.items()
    ]
    print_table(rows, ["figure", "measured as", "expected", "found", "difference"])
    click.echo(f"\n{result.verdict}: {result.because}")
    print_message(f"reports: {result.report}, {result.page}")


def _figures(row: "Row") -> str:
    return ", ".join(f"{metric} {value:g}" for metric, value in row.figures.items())


def _hours(row: "Row", hours: float | None) -> str:
    if not row.trains:
        return "nothing to train"
    return "not estimated" if hours is None else f"{hours:.1f}"
