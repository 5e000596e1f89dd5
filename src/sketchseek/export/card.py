"""The model card of a model folder."""

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
        f"| licence | {record.licence or 'that of the backbone and the training data'} |",
        "",
        *(f"* {line}" for line in figures(record)),
        "",
    ]
    return "\n".join(lines)


def figures(record: Record) -> list[str]:
    """The measurements of the export, one sentence each."""
    measured = record.measured
    found = [f"Lowest cosine between the fp32 graphs and torch on sample inputs: {measured['parity']:.6f}."]
    if "data" in measured:
        data = measured["data"]
        where = (
            f"the {data['classes']} validation classes of {data['name']} ({data['sketches']} sketches, "
            f"{data['photos']} photos)"
        )
        if "rounding" in measured:
            cost = measured["rounding"]["map@all"]
            integers = measured["rounding"]["whole"]
            found.append(
                f"mAP@all on {where}: {cost['fp32']:.2f} in fp32, {cost['int8']:.2f} in int8 "
                f"({cost['int8'] - cost['fp32']:+.2f}); weights are stored in 8 bits, "
                f"{integers} computed with integers."
            )
            if "lines" in measured["rounding"]:
                found.append(
                    f"Mean cosine of the lines over photos, int8 with fp32: {measured['rounding']['lines']:.4f}."
                )
    return found
