"""The page docs/research/leaderboard.md, made from the result files in docs/research/results.

    python tools/leaderboard.py > docs/research/leaderboard.md

Files whose name begins with ``ours-`` come first, then by the first metric. Each file is checked against its digest.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sketchseek.evaluation.definitions import format_value
from sketchseek.evaluation.results import read_result

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "research" / "results"
COLUMNS = {
    False: ("map@all", "map@200:voc", "map@200:hits", "p@100", "p@200"),
    True: ("acc@1", "acc@5", "acc@10"),
}
HEAD = """# Leaderboard

Scores of any model, each from a result file in `docs/research/results`. A file holds the scores, what every metric
means, the protocol, the number of queries and photos, SHA-256 hashes of vectors and lists, and a digest over all of
this, so that a file that was changed later is rejected. `make docs` writes this page.

To add a model: write a file with `sketchseek score --result FILE --model NAME --about WORDS` from your own vectors, or
with `sketchseek evaluate --result FILE --about WORDS`, put it into that folder and open a pull request. A digest shows
changes, not honesty: publish the vectors, so that others can run `score` on them and compare the hashes.

Only rows of one table can be compared; a subset, a look, distractors or a chosen support set have tables of their own.
Percent; brackets are 95% intervals. Where a class has fewer than K photos, P@K cannot reach 100: with 25 photos, P@100
is at most 25."""


def page(folder: Path) -> str:
    """The page as Markdown: a table for each data and protocol."""
    results = sorted(((path.name, read_result(path)) for path in folder.glob("*.json")), key=lambda one: one[0])
    tables: dict[tuple[str, str, bool], list[tuple[str, dict[str, Any]]]] = {}
    for name, result in results:
        instance = "acc@1" in result["metrics"]
        key = (result["about"], _measured(result["protocol"]), instance)
        tables.setdefault(key, []).append((name, result))
    return "\n\n".join([HEAD, *(_table(*key, rows) for key, rows in tables.items())]) + "\n"


def _measured(protocol: dict[str, Any]) -> str:
    """The protocol and all that makes its numbers incomparable with others: rows that differ in it share no table."""
    found = [protocol["name"]]
    if protocol.get("variant") not in (None, "all-seen", "within-class"):
        found.append(protocol["variant"])
    if protocol["name"] == "score" and protocol["within_class"]:
        found.append("within the class")
    if protocol["name"] != "fine-grained" and protocol.get("gallery_variant") == "dedup":
        found.append("each photo once")
    if protocol.get("subset"):
        found.append(f"subset {protocol['subset']}")
    if protocol.get("look", "direct") != "direct":
        found.append(f"look {protocol['look']}, which uses the gallery")
    if protocol.get("distractors"):
        found.append(f"among {protocol['distractors']:,} distractors")
    if protocol.get("category"):
        found.append(f"adapted to {protocol['category']} by chosen pictures")
    if protocol.get("transductive"):
        found.append("transductive")
    return ", ".join(found)


def _table(about: str, protocol: str, instance: bool, rows: list[tuple[str, dict[str, Any]]]) -> str:
    columns = [name for name in COLUMNS[instance] if all(name in result["metrics"] for _, result in rows)]
    first = columns[0]
    rows = sorted(rows, key=lambda row: (not row[0].startswith("ours-"), -row[1]["metrics"][first], row[0]))
    lines = [_line(["model", *columns, "sketches", "photos", "file"]), "|---" * (4 + len(columns)) + "|"]
    for name, result in rows:
        cells = [_cell(result, column) for column in columns]
        sizes = [f"{result['queries']:,}", f"{result['gallery']:,}"]
        lines.append(_line([_text(result["model"]["name"]), *cells, *sizes, f"[{name}](results/{name})"]))
    return f"## {protocol[:1].upper()}{_text(protocol[1:])}, {_text(about)}\n\n" + "\n".join(lines)


def _cell(result: dict[str, Any], metric: str) -> str:
    value = format_value(metric, result["metrics"][metric])
    interval = (result["intervals"] or {}).get(metric)
    return value if interval is None else f"{value} [{', '.join(format_value(metric, end) for end in interval)}]"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(words: str) -> str:
    """Words of others as text: no markup, no line break, no new column."""
    return "".join(letter if letter.isalnum() or letter in " .,:;()-_/+%'" else " " for letter in words)


if __name__ == "__main__":
    print(page(FOLDER), end="")
