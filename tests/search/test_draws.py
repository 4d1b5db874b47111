"""Draws: the same stream gives the same numbers, and the laws of the numbers are the stated ones."""

import math
from collections.abc import Callable
from itertools import islice

import pytest

from search.draws import Stream, beta, gamma, multinomial, normal, stream, systematic
from search.posteriors import Observed, drawn_mean

COUNT = 4000


def test_a_stream_is_fixed_by_its_seed_and_path() -> None:
    first = list(islice(stream(7, "kind", 3), 5))
    assert first == list(islice(stream(7, "kind", 3), 5))
    assert first != list(islice(stream(7, "kind", 4), 5))
    assert all(0.0 < number < 1.0 for number in islice(stream(0), COUNT))


def moments(draws: list[float]) -> tuple[float, float]:
    mean = math.fsum(draws) / len(draws)
    return mean, math.fsum((draw - mean) ** 2 for draw in draws) / len(draws)


@pytest.mark.parametrize(
    ("draw", "mean", "variance"),
    [
        (lambda uniforms: next(uniforms), 1 / 2, 1 / 12),
        (normal, 0.0, 1.0),
        (lambda uniforms: gamma(0.5, uniforms), 0.5, 0.5),
        (lambda uniforms: gamma(3.0, uniforms), 3.0, 3.0),
        (lambda uniforms: beta(0.5, 0.5, uniforms), 1 / 2, 1 / 8),
        (lambda uniforms: beta(6.0, 2.0, uniforms), 3 / 4, 1 / 48),
    ],
)
def test_moments(draw: Callable[[Stream], float], mean: float, variance: float) -> None:
    uniforms = stream(11, "moments")
    got = moments([draw(uniforms) for _ in range(COUNT)])
    assert got[0] == pytest.approx(mean, abs=5 * math.sqrt(variance / COUNT))
    assert got[1] == pytest.approx(variance, rel=0.15)


def test_systematic_draws_come_floor_or_ceiling_times() -> None:
    weights = [0.5, 0.0, 0.3, 0.2]
    for offset in islice(stream(3), 200):
        drawn = systematic(weights, 8, offset)
        assert drawn == sorted(drawn)
        counts = [drawn.count(index) for index in range(4)]
        assert counts[0] == 4
        assert counts[1] == 0
        assert counts[2] in (2, 3)
        assert counts[3] in (1, 2)


def test_systematic_by_hand() -> None:
    # Positions 0.125, 0.375, 0.625, 0.875 of the cumulated shares 0.1, 0.4, 1.0.
    assert systematic([1.0, 3.0, 6.0], 4, 0.5) == [1, 1, 2, 2]
    assert systematic([1.0, 3.0, 6.0], 4, 0.2) == [0, 1, 2, 2]


def test_multinomial_draws_are_in_proportion() -> None:
    drawn = multinomial([1.0, 0.0, 3.0], COUNT, stream(5))
    assert drawn.count(1) == 0
    assert drawn.count(2) / COUNT == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize(("prior", "mean"), [("beta", 8.5 / 11), ("gaussian", 8 / 11)])
def test_posterior_means(prior: str, mean: float) -> None:
    """Ten rewards of 0.8: Beta(8.5, 2.5), and a mean of 0 that counts as one observation more."""
    observed = Observed(10, 8.0, 6.4)
    uniforms = stream(13)
    drawn = [drawn_mean(prior, observed, uniforms) for _ in range(COUNT)]
    assert moments(drawn)[0] == pytest.approx(mean, abs=0.02)


@pytest.mark.parametrize("prior", ["beta", "gaussian"])
def test_more_observations_narrow_the_posterior(prior: str) -> None:
    few, many = stream(17, "few"), stream(17, "many")
    wide = [drawn_mean(prior, Observed(2, 1.0, 0.52), few) for _ in range(1000)]
    narrow = [drawn_mean(prior, Observed(200, 100.0, 52.0), many) for _ in range(1000)]
    assert moments(narrow)[1] < moments(wide)[1] / 10
