"""How commands print: data on stdout, messages on stderr."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click


def print_json(data: Any, *, compact: bool = False) -> None:
    """One JSON document on stdout, readable by people and programs alike; ``compact``: on one line.

    Bytes of a file name that are not text become the escapes that Python reads back as the same name.
    """
    text = json.dumps(data, indent=None if compact else 2, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace"))


def print_table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Aligned columns on stdout, without frames, so that grep and awk can read them; numbers are right-aligned."""
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not lines:
        return
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    numeric = [all(_is_number(row[column]) for row in rows) and bool(rows) for column in range(len(widths))]
    for line in lines:
        cells = [
            cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def print_paths(paths: Iterable[Path], end: bytes = b"\n") -> None:
    """Paths on stdout, as the bytes that the system uses."""
    for path in paths:
        click.echo(os.fsencode(path) + end, nl=False)


def print_message(sentence: str) -> None:
    """One line on stderr."""
    click.echo(sentence, err=True)


def print_failures(failures: Sequence[tuple[Path, str]], *, verbose: bool) -> None:
    """Files that could not be indexed, and why, on stderr: a line for each cause, or ``verbose``, for each file."""
    from sketchseek.gallery.failures import causes

    found = causes(failures, every_file=verbose)
    for cause in found:
        print_message(str(cause))
    if len(found) < len(failures):
        print_message("sketchseek: --verbose lists every file that failed")


def human_size(size: int) -> str:
    """Bytes in the largest unit that keeps the number readable."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def _is_number(cell: str) -> bool:
    return cell.strip().removesuffix("%").replace(",", "").replace(".", "", 1).lstrip("-+").isdigit()
