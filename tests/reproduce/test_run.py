"""Verdicts."""

from dataclasses import replace

import pytest

from sketchseek.reproduce.rows import find_row, tolerance
from sketchseek.reproduce.run import compare_figures

ROW = find_row("clip-at/sketchy-21")


def test_a_difference_up_to_the_tolerance_is_within():
    edge = ROW.figures["P@200"] + tolerance()
    for found, within in ((edge - 0.01, True), (edge + 0.01, False), (2 * ROW.figures["P@200"] - edge - 0.01, False)):
        means = {"map@200:voc": 0.723, "map@200:hits": 0.9, "p@200": found / 100}
        compared = {one.metric: one for one in compare_figures(ROW, means)}
        assert compared["P@200"].within == within
        assert compared["P@200"].found == {"p@200": pytest.approx(found)}


def test_of_two_definitions_the_nearest_counts():
    for voc, hits, difference in ((0.66, 0.74, 1.7), (0.70, 0.80, -2.3)):
        one = compare_figures(ROW, {"map@200:voc": voc, "map@200:hits": hits, "p@200": 0.725})[0]
        assert one.difference == pytest.approx(difference)
        assert one.within
        assert set(one.found) == {"map@200:voc", "map@200:hits"}


def test_our_rows_name_the_definition():
    ours = replace(ROW, status="ours", figures={"map@200:voc": 70.0, "mean_rank": 4.0})
    found = compare_figures(ours, {"map@200:voc": 0.71, "mean_rank": 8.0})
    assert [one.difference for one in found] == [pytest.approx(1.0), 4.0]
    assert [one.within for one in found] == [True, False]
