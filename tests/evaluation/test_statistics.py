"""Intervals against closed forms, published values and a slow bootstrap written another way."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from evaluation.statistics import UNKNOWN, Bootstrap, Interval, wilson


def test_wilson_gives_the_published_values() -> None:
    # Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29 by the score method without continuity correction.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, n), (low, high) in published.items():
        found = wilson(right, n)
        assert (found.value, found.low, found.high) == pytest.approx((right / n, low, high), abs=5e-5)
    assert wilson(20, 20).high == 1.0
    assert not wilson(0, 0).known


def test_a_mean_agrees_with_a_bootstrap_by_loops() -> None:
    rng = random.Random(3)
    values = [rng.random() ** 2 for _ in range(40)]
    means = sorted(sum(rng.choices(values, k=40)) / 40 for _ in range(4000))
    found = Bootstrap(40, seed=1, resamples=4000).mean(values)
    assert found.value == pytest.approx(sum(values) / 40)
    assert (found.low, found.high) == pytest.approx((means[100], means[3899]), abs=0.01)


def test_the_interval_of_a_mean_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    bootstrap = Bootstrap(60, resamples=400)
    held = [found.low <= 0.25 <= found.high for found in (bootstrap.mean(rng.random(60) ** 3) for _ in range(300))]
    assert 0.90 <= np.mean(held) <= 0.98


def test_differences_are_paired() -> None:
    """Problems differ much and the methods by a constant: only a paired interval is narrow."""
    hard = np.random.default_rng(0).random(100)
    bootstrap = Bootstrap(100)
    found = bootstrap.mean(hard + 0.1 - hard)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))
    assert bootstrap.mean(hard).high - bootstrap.mean(hard).low > 0.05


def test_a_ratio_weighs_solutions_and_not_problems() -> None:
    assert Bootstrap(3).ratio([1, 0, 8], [1, 9, 10]).value == pytest.approx(9 / 20)
    assert Bootstrap(2).mean([1.0, 0.2], where=[False, True]).value == pytest.approx(0.2)


def test_a_share_is_honest_at_the_edges() -> None:
    bootstrap = Bootstrap(20)
    assert bootstrap.share([0.0] * 20) == wilson(0, 20)
    assert bootstrap.share([1.0, 0.0] * 10, where=[True] * 5 + [False] * 15) == wilson(3, 5)
    uneven = [0.25, 0.75] * 10
    assert bootstrap.share(uneven) == bootstrap.mean(uneven)


def test_what_was_not_measured_is_unknown_and_not_zero() -> None:
    bootstrap = Bootstrap(4)
    for found in (bootstrap.ratio([0, 0, 0, 0], [0, 0, 0, 0]), bootstrap.share([math.nan] * 4)):
        assert not found.known
        assert math.isnan(found.low)
    assert str(UNKNOWN) == "–"
    assert bootstrap.share([], where=[]).known is False
    with pytest.raises(ValueError, match="no problem"):
        Bootstrap(0)


def test_resamples_that_have_nothing_to_divide_by_do_not_count() -> None:
    found = Bootstrap(3).ratio([1, 0, 0], [2, 0, 0])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_points_keep_the_interval() -> None:
    assert Interval(0.1, -0.05, 0.2).scaled(100.0) == Interval(10.0, -5.0, 20.0)
