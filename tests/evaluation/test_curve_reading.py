"""Curves read between their points, and what is concluded from them, on rows made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from domain.budget import Spend
from evaluation.curving.curve import cost_for, plateau, weights_at
from evaluation.curving.methods import ADAPTIVE, BEST, CHAIN, MAJORITY, WEIGHTED
from evaluation.curving.ratios import harms, saving
from evaluation.curving.result import measured
from evaluation.curving.revising import revisions
from evaluation.curving.rows import VERIFIER, Row, row
from evaluation.curving.table import Table, difference, mean
from evaluation.curving.traded import parameters, traded
from evaluation.quality.record import ProblemItem

ITEMS = [ProblemItem(f"p{at:03}", "?", "1", "s", 1 + at % 2) for at in range(200)]


def rows(method: str, n: int, right: float, flops: float, seeds: Sequence[int] = (1,), **more: object) -> list[Row]:
    """The first share of the problems is solved."""
    return [
        row(
            (method, VERIFIER, n, seed, item.id), Spend(10, 10, 0, flops, n, 0), right=at < right * len(ITEMS),
            seconds=0.0, reason="complete", **more,  # type: ignore[arg-type]
        )
        for seed in seeds
        for at, item in enumerate(ITEMS)
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ reading


def test_a_cost_is_read_between_points_in_log_cost() -> None:
    points = [(1.0, 0.2), (100.0, 0.6)]
    assert cost_for(points, 0.4) == pytest.approx(10.0)
    assert cost_for(points, 0.2) == 1.0
    assert cost_for(points, 0.1) == 1.0  # it is not read below the cheapest point
    assert cost_for(points, 0.61) is None


def test_a_worse_and_dearer_point_makes_nothing_cheaper() -> None:
    with_dip = cost_for([(1.0, 0.4), (10.0, 0.1), (100.0, 0.6)], 0.5)
    assert with_dip == pytest.approx(cost_for([(1.0, 0.4), (100.0, 0.6)], 0.5))


def test_weights_are_those_of_the_neighbours() -> None:
    assert weights_at([100.0, 1.0], 10.0) == pytest.approx({1: 0.5, 0: 0.5})
    assert weights_at([100.0, 1.0], 500.0) == {0: 1.0}  # a method that has stopped spending keeps its accuracy
    assert weights_at([100.0, 1.0], 0.5) is None
    assert weights_at([100.0, 1.0], 1.0) == pytest.approx({1: 1.0, 0: 0.0}, abs=1e-8)


def test_a_plateau_has_no_hole() -> None:
    assert plateau([4, 8, 16, 32], [True, False, True, True]) == 16
    assert plateau([4, 8], [False, True]) == 8


# ------------------------------------------------------------------------------------------------ savings


@pytest.fixture
def flat() -> list[Row]:
    """Best-of-n that gains nothing after n = 16."""
    curve = {4: 0.3, 16: 0.5, 64: 0.5}
    return [one for n, right in curve.items() for one in rows(WEIGHTED, n, right, 100.0 * n)]


def test_a_saving_against_an_inflated_n_does_not_count(flat: list[Row]) -> None:
    table = Table(ITEMS, [*flat, *rows(ADAPTIVE, 64, 0.5, 800.0)])
    found = saving(table, [ADAPTIVE], 64)
    assert found is not None
    assert found.ratio == pytest.approx(800 / 6400)
    assert found.plateau_n == 16
    assert found.ratio_vs_plateau == pytest.approx(800 / 1600)
    assert found.interval is not None
    assert (found.interval.low, found.reached) == (pytest.approx(0.125), 1.0)


def test_a_method_that_does_not_get_there_has_no_ratio(flat: list[Row]) -> None:
    short = saving(Table(ITEMS, [*flat, *rows(ADAPTIVE, 64, 0.3, 800.0)]), [ADAPTIVE], 64)
    assert short is not None
    assert (short.ratio, short.ratio_vs_plateau, short.ratio_within_noise, short.interval) == (None,) * 4
    nearly = saving(Table(ITEMS, [*flat, *rows(ADAPTIVE, 64, 0.495, 800.0)]), [ADAPTIVE], 64)
    assert nearly is not None
    assert nearly.ratio is None
    assert nearly.ratio_within_noise == pytest.approx(800 / 1600)  # one problem of 200: within noise
    assert saving(Table(ITEMS, flat), [ADAPTIVE], 64) is None


def test_only_what_both_sides_were_measured_on_is_compared(flat: list[Row]) -> None:
    """With seed 2 the method is worse and dearer, but the reference was not measured there."""
    other = [*rows(ADAPTIVE, 64, 0.5, 800.0), *rows(ADAPTIVE, 64, 0.1, 9e9, seeds=[2])]
    found = saving(Table(ITEMS, [*flat, *other]), [ADAPTIVE], 64)
    assert found is not None
    assert found.ratio == pytest.approx(0.125)


# ------------------------------------------------------------------------------------------------ losses


def test_a_loss_is_read_at_equal_cost_on_each_level(flat: list[Row]) -> None:
    method = [*rows("beam", 4, 0.3, 400.0), *rows("beam", 16, 0.4, 6400.0)]
    found = {
        (one.group, one.n): one.points
        for one in harms(Table(ITEMS, [*flat, *method]), "beam", (4, 16, 64), ["level 1"])
    }
    half_way = 50 - (30 + 10 * math.log(1600 / 400) / math.log(6400 / 400))
    assert found["level 1", 4].value == pytest.approx(0.0, abs=1e-6)
    assert found["level 1", 16].value == pytest.approx(half_way)
    assert found["level 1", 64].value == pytest.approx(10.0)
    assert found["level 1", 64].low < 10.0 < found["level 1", 64].high


def test_where_a_method_begins_dearer_nothing_is_said(flat: list[Row]) -> None:
    table = Table(ITEMS, [*flat, *rows("beam", 4, 0.1, 1000.0)])
    assert [one.n for one in harms(table, "beam", (4, 16), ["level 1"])] == [16]


def test_the_worst_loss_is_of_a_default_method(flat: list[Row]) -> None:
    result = measured(Table(ITEMS, [*flat, *rows("beam", 4, 0.1, 400.0), *rows(ADAPTIVE, 4, 0.45, 400.0)]))
    assert result["worst_harm"]["method"] == ADAPTIVE
    assert result["worst_harm_points"] == pytest.approx(5.0)
    assert result["worst_harm_beyond_noise_points"] < 5.0
    assert result["harm_by_method"]["beam"]["points"][0] == pytest.approx(40.0)
    assert result["adaptive_flops_ratio"] is None  # it stays below
    assert result["compute_optimal_flops_ratio"] is None  # not measured


# ------------------------------------------------------------------------------------------------ revisions


def test_revisions_are_compared_with_parallel_samples_and_what_a_chain_loses() -> None:
    def chain(n: int, kept: float) -> list[Row]:
        """The first attempt is right on the first half."""
        made = rows(CHAIN, n, kept, 10.0 * n)
        return [
            row(
                one.unit, Spend(1, 1, 0, one.flops, n), right=one.right, seconds=0.0, reason="complete",
                first_right=at < 100, last_right=at < 50,
            )
            for at, one in enumerate(made)
        ]  # fmt: skip

    parallel = [*rows(WEIGHTED, 256, 0.6, 2560.0), *rows(WEIGHTED, 64, 0.3, 640.0), *rows(MAJORITY, 1, 0.5, 10.0)]
    parallel += rows(BEST, 256, 0.65, 2560.0)
    mixed = [*rows("revisions 1:1", 16, 0.55, 160.0), *rows("revisions 1:1", 64, 0.7, 640.0)]
    found = revisions(Table(ITEMS, [*parallel, *mixed, *chain(16, 0.4), *chain(64, 0.45)]))
    assert (found["best_ratio"], found["generations_for_parallel"], found["parallel_n"]) == ("revisions 1:1", 64, 256)
    assert found["best_ratio_minus_parallel_points"][0] == pytest.approx(10.0)
    assert found["best_ratio_minus_parallel_best_points"][0] == pytest.approx(5.0)
    assert found["right_lost_share"][0] == pytest.approx(0.1)  # 90 of 100 are still right
    assert found["right_lost_share_by_length"][16][0] == pytest.approx(0.2)
    assert found["right_lost_share_taking_the_last"][0] == pytest.approx(0.5)
    assert found["right_lost_share_in_parallel"][0] == pytest.approx(0.4)  # 60 of 100 are still right


# ------------------------------------------------------------------------------------------------ tables


def test_seeds_are_averaged_within_a_problem_and_pairs_are_shared() -> None:
    table = Table(ITEMS, [*rows(MAJORITY, 4, 0.5, 1.0, seeds=[1, 2]), *rows(MAJORITY, 8, 0.6, 1.0, seeds=[2])])
    curve = table.curve(MAJORITY)
    assert mean(curve[4]).value == pytest.approx(0.5)
    assert difference(curve[8], curve[4]).value == pytest.approx(0.1)
    assert len(curve[4]) == 400


def test_bins_are_quintiles_of_the_measured_pass_rate() -> None:
    made = [
        row(one.unit, Spend(), right=True, seconds=0, reason="", share=at / 200)
        for at, one in enumerate(rows(MAJORITY, 4, 1, 1))
    ]
    groups = Table(ITEMS, made).groups
    assert {name: len(members) for name, members in groups.items() if "bin" in name} == {
        f"bin {at}": 40 for at in range(1, 6)
    }
    assert "p199" in groups["bin 1"]
    assert "p000" in groups["bin 5"]


def charged(method: str, n: int, right: float, parameters: int) -> list[Row]:
    made = rows(method, n, right, 1.0)
    return [
        row(one.unit, Spend(n, n, 0, 4.0 * parameters * n, n), right=one.right, seconds=0, reason="") for one in made
    ]


def test_models_are_exchanged_at_equal_flops() -> None:
    large = charged("greedy", 1, 0.5, 1400)
    small = [*charged(MAJORITY, 1, 0.2, 100), *charged(MAJORITY, 14, 0.6, 100), *charged(MAJORITY, 64, 0.9, 100)]
    assert parameters(large) == 1400
    found = traded({"small": small, "large": large}, ITEMS)
    assert (found["small_parameters"], found["large_parameters"], found["ratio"]) == (100, 1400, 14.0)
    level = found["at_equal_flops"]["greedy"]["level 1"]
    assert level["large"][0] == pytest.approx(0.5)
    assert level["small"]["small: majority"]["accuracy"] == pytest.approx(0.6)
    value, low, high = level["small"]["small: majority"]["minus_large_points"]
    assert value == pytest.approx(10.0)
    assert low < value < high


def test_models_are_exchanged_on_problems_that_both_were_measured_on() -> None:
    """The large model solves the first half; the small one was measured on the other half only, and solves a fifth."""
    large = charged("greedy", 1, 0.5, 1400)
    small = [one for n in (1, 14, 64) for one in charged(MAJORITY, n, 0.6, 100) if one.problem >= "p100"]
    found = traded({"small": small, "large": large}, ITEMS)["at_equal_flops"]["greedy"]["all"]
    assert (found["problems"], found["large"][0]) == (100, 0.0)
    assert found["small"]["small: majority"]["accuracy"] == pytest.approx(0.2)
    assert found["small"]["small: majority"]["minus_large_points"][0] == pytest.approx(20.0)
