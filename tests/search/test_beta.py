"""The incomplete beta function against exact binomial sums and known values."""

from fractions import Fraction
from math import comb, sqrt

import pytest

from search.beta import regularised_incomplete_beta


def exact(a: int, b: int, x: Fraction) -> float:
    """For whole a and b: I_x(a, b) = P(Binomial(a + b - 1, x) >= a)."""
    n, top, bottom = a + b - 1, x.numerator, x.denominator
    total = sum(comb(n, k) * top**k * (bottom - top) ** (n - k) for k in range(a, n + 1))
    return float(Fraction(total, bottom**n))


@pytest.mark.parametrize("x", [Fraction(1, 2), Fraction(1, 10), Fraction(9, 10), Fraction(1, 3), Fraction(499, 1000)])
@pytest.mark.parametrize(
    ("a", "b"), [(1, 1), (5, 1), (1, 5), (3, 2), (20, 21), (41, 1), (64, 7), (250, 262), (700, 301), (1, 900)]
)
def test_whole_parameters(a: int, b: int, x: Fraction) -> None:
    assert regularised_incomplete_beta(a, b, float(x)) == pytest.approx(exact(a, b, x), abs=1e-12, rel=1e-11)


def test_many_votes_lose_no_digits() -> None:
    assert regularised_incomplete_beta(2048, 2048, 0.5) == pytest.approx(0.5, abs=1e-13)
    assert regularised_incomplete_beta(2100, 1997, 0.5) == pytest.approx(exact(2100, 1997, Fraction(1, 2)), abs=1e-12)


@pytest.mark.parametrize("x", [0.01, 0.25, 0.5, 0.9])
def test_half_parameters(x: float) -> None:
    """Beta(1/2, 1) is the law of a squared uniform variable; the arcsine law's median is 1/2 and I_{1/4} = 1/3."""
    assert regularised_incomplete_beta(0.5, 1, x) == pytest.approx(sqrt(x), abs=1e-13)
    assert regularised_incomplete_beta(0.5, 0.5, 0.25) == pytest.approx(1 / 3, abs=1e-13)
    assert regularised_incomplete_beta(1, 2.5, x) == pytest.approx(1 - (1 - x) ** 2.5, abs=1e-13)


def test_the_ends_and_bad_input() -> None:
    assert regularised_incomplete_beta(3, 4, 0.0) == 0.0
    assert regularised_incomplete_beta(3, 4, 1.0) == 1.0
    for a, b, x in [(0, 1, 0.5), (1, -1, 0.5), (1, 1, 1.5)]:
        with pytest.raises(ValueError, match="needs"):
            regularised_incomplete_beta(a, b, x)
