"""Plans over tables made by hand: what an action tells is worth something, limits hold, prices order what is bought."""

from __future__ import annotations

import pytest

from domain.calibration import Actions, ActionValue
from domain.specs.stochastic import Particles
from search.planning import SURE, Limits, Place, Plan, band_of, plan, reached

LOW, MIDDLE, HIGH = 0, 1, 2
BANDS = (0.3, 0.7, 1.0)
LEARNS = ((1.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0))
"""In the middle it tells which of the two it is."""

SCORE = ActionValue("score", 1, False, 1, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), after=LEARNS)
SMALL = ActionValue("search", 1, True, 1, (0.4, 0.2, 0.0), (4.0, 4.0, 4.0), Particles(n=4), 0, 1)
LARGE = ActionValue("search", 1, True, 1, (0.1, 0.1, 0.0), (16.0, 16.0, 16.0), Particles(n=16), 1, 2)
TABLE = Actions(BANDS, (SCORE, SMALL, LARGE))
START = Place(1, False)


def made(price: float, most: int = 64) -> Plan:
    return plan(TABLE, price, Limits(most))


def test_what_an_action_tells_is_worth_something() -> None:
    """By itself the score gains nothing and costs 1; half of the time it leads to where 4 buy a gain of 0.4."""
    value, action = made(0.02).best(START, MIDDLE)
    assert action is SCORE
    assert value == pytest.approx(-0.02 + 0.5 * (0.4 - 0.08))
    assert made(0.02).best(START, HIGH) == (0.0, None)


def test_a_dear_unit_of_compute_stops_it() -> None:
    assert made(0.1).best(START, MIDDLE) == (0.0, None)
    assert made(0.099).best(Place(1, True), LOW)[1] is SMALL
    assert made(0.101).best(Place(1, True), LOW)[1] is None


def test_no_stage_is_larger_than_the_most() -> None:
    scored = Place(1, True)
    assert made(0.001, most=3).best(scored, LOW)[1] is None
    assert made(0.001, most=4).best(scored, LOW) == (pytest.approx(0.4 - 0.004), SMALL)
    assert made(0.001, most=16).best(scored, LOW)[0] == pytest.approx(0.4 - 0.004 + 0.1 - 0.016)
    assert reached(SMALL, scored, Limits(64)) == Place(1, True, 1)


def test_without_a_verifier_nothing_is_searched_or_scored() -> None:
    assert plan(TABLE, 0.001, Limits(64, can_score=False)).best(START, MIDDLE) == (0.0, None)
    assert plan(TABLE, 0.001, Limits(64, can_search=False)).best(Place(1, True), LOW) == (0.0, None)


def test_growth_keeps_to_the_room_there_is() -> None:
    grow = ActionValue("sample", 4, True, 8, (0.1,), (4.0,))
    assert reached(grow, Place(4, True), Limits(6)) == Place(6, True)
    assert reached(grow, Place(5, True), Limits(64)) == Place(10, True)


def test_what_was_fitted_is_not_taken_for_true_again_and_again() -> None:
    grow = ActionValue("sample", 4, True, 8, (0.1, 0.1, 0.1), (4.0, 4.0, 4.0))
    growing = plan(Actions(BANDS, (grow,)), 0.001, Limits(64))
    assert growing.best(Place(7, True), LOW)[1] is grow
    assert growing.best(Place(4, True), LOW)[0] == pytest.approx(0.1 - 0.004)
    assert growing.best(Place(8, True), LOW) == (0.0, None)


NOTHING = Place(0, False)
ONE = ActionValue("sample", 0, False, 1, (0.4,) * 3, (1.0,) * 3, after=((0.0, 1.0, 0.0),) * 3)
AT_ONCE = ActionValue("search", 0, False, 0, (0.8,) * 3, (8.0,) * 3, Particles(n=4), 0, 1)


def begun(price: float, most: int = 64) -> ActionValue | None:
    table = Actions(BANDS, (*TABLE.values, ONE, AT_ONCE))
    return plan(table, price, Limits(most)).best(NOTHING, LOW)[1]


def test_what_a_search_begins_with_depends_on_the_price() -> None:
    assert begun(0.001) is AT_ONCE
    assert begun(0.08) is ONE
    assert begun(0.001, most=2) is ONE


def test_a_search_without_any_solution_does_not_stop() -> None:
    assert begun(1.0) is ONE
    assert plan(TABLE, 0.001, Limits(64)).open_at(NOTHING) == []


def test_a_goal_is_worth_what_may_tell_that_it_is_reached() -> None:
    """The score costs more than it can gain, but half of the time it ends the search."""
    assert made(0.3).best(START, MIDDLE) == (0.0, None)
    value, action = plan(TABLE, 0.3, Limits(64), HIGH).best(START, MIDDLE)
    assert action is SCORE
    assert value == pytest.approx(-0.3 + 0.5 * SURE)
    assert plan(TABLE, 0.3, Limits(64), HIGH).best(START, HIGH) == (0.0, None)


def test_bands_end_where_they_say() -> None:
    assert [band_of(TABLE, one) for one in (0.0, 0.3, 0.31, 0.7, 1.0)] == [LOW, LOW, MIDDLE, MIDDLE, HIGH]
