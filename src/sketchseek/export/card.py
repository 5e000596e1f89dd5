"""What an export measured, in sentences for the model card."""

from sketchseek.engine.folder import Record


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
