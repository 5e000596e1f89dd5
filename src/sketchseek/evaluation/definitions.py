"""What the name of each metric means, in one line for readers of a report."""

_DEFINITIONS = {
    "map@all": "mean average precision over the whole ranking",
    "map@all:interpolated": "the same, with precision made monotone (SAKE, ZSE-SBIR)",
    "r_precision": "share of right photos among the first R, where R is the number of right photos",
    "mean_rank": "mean rank of the first right photo; 1 is best",
    "map@K:voc": "V1: average precision at {k}, precision made monotone, over min({k}, R) (SAKE, ZSE-SBIR)",
    "map@K:hits": "V2: average precision at {k} over the hits alone (torchmetrics, SEM-PCYC); usually the largest",
    "map@K:k": "V3: average precision at {k} over {k}",
    "map@K:min": "V4: average precision at {k} over min({k}, R) (textbooks)",
    "p@K": "share of right photos among the first {k}",
    "p@K:min": "share of right photos among the first min({k}, R) (ZSE-SBIR)",
    "acc@K": "share of sketches with a right photo among the first {k}",
}


def definition(metric: str) -> str:
    """One line that defines ``map@200:voc`` and the like."""
    if metric in _DEFINITIONS:
        return _DEFINITIONS[metric]
    name, _, rest = metric.partition("@")
    k, colon, which = rest.partition(":")
    return _DEFINITIONS[f"{name}@K{colon}{which}"].format(k=k)


def is_rank(metric: str) -> bool:
    """Whether the metric is a rank and not a share between 0 and 1."""
    return metric == "mean_rank"


def format_value(metric: str, value: float) -> str:
    """A value as papers print it: shares in percent, ranks as they are."""
    return f"{value:.2f}" if is_rank(metric) else f"{100 * value:.2f}"
