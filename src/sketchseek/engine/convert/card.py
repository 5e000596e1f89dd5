"""The model card of a converted model."""

from sketchseek.engine.folder import Record

_PRECISIONS = {"fp32": "32-bit floats", "fp16": "16-bit floats", "int8": "8-bit integers"}


def model_card(record: Record) -> str:
    """README.md of a model folder."""
    lines = [
        f"# {record.name}",
        "",
        f"{record.about}." if record.about else "",
        "",
        f"Converted by sketchseek from the published weights {record.backbone}. Nothing was trained.",
        "",
        "| | |",
        "|---|---|",
        f"| vectors | {record.size} numbers, length 1 |",
        f"| pictures | {record.photos.size} x {record.photos.size} px |",
        f"| texts | at most {record.context} tokens with those at the start and the end |",
        f"| matrices | {_PRECISIONS[record.precision]}, computed in 32-bit floats |",
        f"| licence | {record.licence or 'that of the weights'} |",
        "",
    ]
    for role, cosine in record.measured.get("cosines", {}).items():
        lines.append(f"* Lowest cosine to 32-bit weights on sample inputs, {role}: {cosine:.5f}.")
    return "\n".join(lines)
