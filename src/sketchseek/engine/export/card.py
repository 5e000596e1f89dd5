"""The model card: what a model folder holds, in words."""

from sketchseek.engine.folder import Record


def model_card(record: Record) -> str:
    """README.md of a model folder."""
    lines = [
        f"# {record.name}",
        "",
        f"{record.about}." if record.about else "",
        "",
        f"Written by `sketchseek export` from {record.backbone}, method {record.method} ({record.setting}).",
        "",
        "| | |",
        "|---|---|",
        f"| vectors | {record.size} numbers, length 1 |",
        f"| pictures | {record.photos.size} x {record.photos.size} px, {record.grid} x {record.grid} patches |",
        f"| texts | at most {record.context - 2} tokens |",
        f"| precision | {record.precision} |",
        f"| least cosine with torch before rounding, on made inputs | {record.measured['parity']:.6f} |",
        f"| licence | {record.licence or 'that of the backbone and the training data'} |",
        "",
    ]
    return "\n".join(lines)
