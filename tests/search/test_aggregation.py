"""One number from the scores of a solution's steps, by hand."""

from __future__ import annotations

import pytest

from search.aggregation import aggregate


@pytest.mark.parametrize(
    ("name", "number"), [("last", 0.4), ("min", 0.1), ("product", 0.04), ("mean", 0.5), ("geometric", 0.04 ** (1 / 3))]
)
def test_each_by_hand(name: str, number: float) -> None:
    assert aggregate(name, (1.0, 0.1, 0.4)) == pytest.approx(number)


def test_the_geometric_mean_of_what_is_impossible_is_none() -> None:
    assert aggregate("geometric", (0.0, 0.9)) == 0.0


def test_long_solutions_keep_a_geometric_mean() -> None:
    assert aggregate("geometric", (1e-3,) * 200) == pytest.approx(1e-3)
