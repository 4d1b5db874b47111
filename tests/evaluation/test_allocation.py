"""A batch that is played with one budget, and what it is compared with."""

from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.allocation import (
    BATCH,
    EQUAL,
    REFERENCES,
    SIZES,
    SPLIT,
    Curves,
    Measured,
    cost_for,
    curves,
    points,
    references,
)
from evaluation.curving.batch import BASE, Line, Recorded, Searched, play, searched_at

EASY: Recorded = {0.1: Searched(1.0, True), 0.01: Searched(1.0, True), 0.001: Searched(1.0, True)}
HARD: Recorded = {0.1: Searched(1.0, False), 0.01: Searched(5.0, True), 0.001: Searched(40.0, True)}
NEVER: Recorded = {0.1: Searched(1.0, False), 0.01: Searched(5.0, False), 0.001: Searched(40.0, False)}


def scaled(recorded: Recorded, unit: float = 100.0) -> Recorded:
    return {price: Searched(unit * one.cost, one.right) for price, one in recorded.items()}


LINES = [scaled(one) for one in (EASY, HARD, NEVER, EASY) * 30]


def test_a_line_is_the_search_at_the_nearest_price() -> None:
    assert searched_at(HARD, 0.012, 100.0) == Line(5.0, True, 0.012)
    assert searched_at(HARD, 0.05, 100.0) == Line(1.0, False, 0.05)
    assert searched_at(HARD, 1e-6, 100.0) == Line(40.0, True, 1e-6)


def test_a_line_that_is_cut_short_costs_its_ceiling_and_answers_what_a_dearer_price_had() -> None:
    assert searched_at(HARD, 0.001, 20.0) == Line(20.0, True, 0.001, cut=True)
    assert searched_at(HARD, 0.001, 3.0) == Line(3.0, False, 0.001, cut=True)
    assert searched_at(EASY, 0.001, 0.5) == Line(0.5, False, 0.001, cut=True)


@given(share=st.floats(0.1, 60.0), window=st.integers(1, 200))
def test_a_batch_never_spends_more_than_its_budget(share: float, window: int) -> None:
    played = play(LINES, share * 100.0 * len(LINES), window)
    assert played.spent <= 1 + 1e-9
    assert len(played.lines) == len(LINES)


def test_a_batch_is_played_the_same_again() -> None:
    assert play(LINES, 50_000.0) == play(LINES, 50_000.0)


def test_the_price_finds_the_budget() -> None:
    """At 0.01 a line costs 3 samples on average, and 20.5 at the price that it begins with."""
    played = play(LINES * 4, 4.0 * 100.0 * len(LINES) * 4)
    assert played.spent > 0.9
    late = [line.price for line in played.lines[60:] if line.price is not None]
    assert fmean(late) > BASE.price
    assert fmean(line.right for line in played.lines) > 0.65


def test_a_budget_that_is_gone_starts_no_line() -> None:
    played = play(LINES[:40], 30.0)
    assert played.lines[-1] == Line(0.0, False)


def measured() -> Measured:
    evens = {n: [Line(100.0 * n, at % 4 != 2 if n >= 16 else at % 2 == 0) for at in range(len(LINES))] for n in SIZES}
    return Measured(LINES, evens, 100.0)


def test_both_numbers_are_those_of_the_points() -> None:
    found = points([measured(), measured()])
    whole = curves(found)
    assert whole.cost[SPLIT, 16] == pytest.approx(16.0)
    assert whole.accuracy[SPLIT, 16] == 0.75
    assert whole.cost[EQUAL, 16] <= 16.0
    assert whole.gain(16) == pytest.approx(whole.accuracy[EQUAL, 16] / 0.75 - 1)
    against = {one["n"]: one for one in references(found)}
    assert set(against) == set(REFERENCES)
    low, high = against[16]["relative_gain_at_equal_compute_interval"]
    assert low <= whole.gain(16) <= high


def test_the_saving_is_read_between_the_points_of_the_curve() -> None:
    keys = {(BATCH, 2.0): (0.4, 2.0), (BATCH, 4.0): (0.6, 4.0), (SPLIT, 16): (0.5, 16.0)}
    found = Curves({key: one[0] for key, one in keys.items()}, {key: one[1] for key, one in keys.items()})
    assert found.ratio(16) == pytest.approx(3.0 / 16)
    assert cost_for([(2.0, 0.4), (4.0, 0.6)], 0.7) is None
