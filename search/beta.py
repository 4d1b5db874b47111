"""The regularised incomplete beta function, in plain Python, to 1e-12.

The prefactor x^a (1-x)^b / B(a, b) is taken from the saddle-point form of the binomial density (Loader, "Fast and
accurate computation of binomial probabilities", 2000): a difference of log-gammas would lose digits for large a and b.
"""

from __future__ import annotations

import math

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_TINY = 1e-300
_MOST_TERMS = 100_000


def regularised_incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) = P(X <= x) for X of Beta(a, b); a, b > 0 and x in [0, 1]."""
    if not (a > 0 and b > 0 and 0 <= x <= 1):
        raise ValueError("the incomplete beta function needs a, b > 0 and x from 0 to 1")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):  # the continued fraction converges fast on the other side
        return 1.0 - regularised_incomplete_beta(b, a, 1.0 - x)
    return _density(a, b, x) / a * _continued_fraction(a, b, x)


def _density(a: float, b: float, x: float) -> float:
    """x^a (1-x)^b / B(a, b)."""
    n = a + b
    log = _stirling_error(n) - _stirling_error(a) - _stirling_error(b)
    log -= _deviance(a, n * x) + _deviance(b, n * (1 - x))
    return a * b / n * math.exp(log) * math.sqrt(n / (2 * math.pi * a * b))


def _stirling_error(n: float) -> float:
    """log Γ(n+1) minus Stirling's formula."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - _HALF_LOG_2PI
    return math.fsum(term / n ** (2 * at + 1) for at, term in enumerate(_STIRLING))


def _deviance(count: float, expected: float) -> float:
    """count · log(count / expected) + expected − count, without cancellation where the two are close."""
    distance = (count - expected) / (count + expected)
    if abs(distance) > 0.1:
        return count * math.log(count / expected) + expected - count
    total, power, at = (count - expected) * distance, 2 * count * distance, 1
    while True:
        power *= distance * distance
        larger = total + power / (2 * at + 1)
        if larger == total:
            return total
        total, at = larger, at + 1


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Lentz's method (Numerical Recipes, 6.4)."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            return value
    raise ArithmeticError("the continued fraction of the incomplete beta function did not converge")


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
