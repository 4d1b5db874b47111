"""Decimals as roundings of exact values. For grading only: two votes are never merged because they are close.

Law: a decimal stands for an exact value when it is that value, correctly rounded to the places that it shows, at least
four places and four significant digits; a value that can be written with these places has no other rounding.
"""

from __future__ import annotations

import re
from fractions import Fraction

MIN_PLACES = 4
MIN_DIGITS = 4
_FRACTION = re.compile(r"q:-?\d+/(\d+)")


def decimal_places(value: Fraction) -> int | None:
    """Places of its shortest decimal; None when it has no finite one."""
    rest, places = value.denominator, {2: 0, 5: 0}
    for prime in places:
        while rest % prime == 0:
            rest //= prime
            places[prime] += 1
    return max(places.values()) if rest == 1 else None


def is_rounding(decimal: Fraction, exact: Fraction) -> bool:
    """Whether `decimal` is `exact`, rounded (half up or half down) to the places of `decimal`."""
    places = decimal_places(decimal)
    if places is None or places < MIN_PLACES or abs(decimal) * 10**places < 10 ** (MIN_DIGITS - 1):
        return False
    own = decimal_places(exact)
    if own is not None and own <= places:
        return decimal == exact
    return bool(abs(exact - decimal) * 10**places <= Fraction(1, 2))


def may_be_rounded(key: str) -> bool:
    """Whether an answer holds a decimal with enough places (a cheap look at its key)."""
    found = (decimal_places(Fraction(1, int(bottom))) for bottom in _FRACTION.findall(key))
    return any(places is not None and places >= MIN_PLACES for places in found)
