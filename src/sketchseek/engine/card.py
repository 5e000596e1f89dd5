"""The model card of a model folder, its README.md."""

from collections.abc import Sequence

from sketchseek.engine.folder import Record

_PRECISIONS = {"fp32": "32-bit floats", "fp16": "16-bit floats", "int8": "8-bit integers"}


def model_card(record: Record, *, made: str, figures: Sequence[str]) -> str:
    """The card; ``made``: a sentence or two on how the folder was made, ``figures``: what was measured then."""
    patches = f", {record.grid} x {record.grid} patches" if record.grid > 1 else ""
    lines = [
        f"# {record.name}",
        "",
        *([f"{record.about}.", ""] if record.about else []),
        made,
        "",
        "| | |",
        "|---|---|",
        f"| vectors | {record.size} numbers, length 1 |",
        f"| pictures | {record.photos.size} x {record.photos.size} px{patches} |",
        f"| texts | at most {record.context} tokens with those at the start and the end |",
        f"| matrices | {_PRECISIONS[record.precision]} |",
        f"| licence | {record.licence or 'that of the weights and of the training data'} |",
        "",
        *(f"* {line}" for line in figures),
    ]
    return "\n".join(lines).rstrip() + "\n"
