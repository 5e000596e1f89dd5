import numpy as np
import pytest

from sketchseek.evaluation.definitions import definition, format_value
from sketchseek.evaluation.metrics import measure


def test_every_metric_has_its_own_line() -> None:
    names = list(measure(np.array([[1, 3]]), (10, 200)))
    lines = [definition(name) for name in names]
    assert len(set(lines)) == len(names)
    assert all("{" not in line for line in lines)
    assert "200" in definition("map@200:voc")


def test_a_name_without_a_definition_is_an_error() -> None:
    with pytest.raises(KeyError):
        definition("f1@10")


def test_shares_are_percent_and_ranks_are_ranks() -> None:
    assert (format_value("map@all", 0.40625), format_value("mean_rank", 8.125)) == ("40.62", "8.12")
