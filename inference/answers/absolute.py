r"""Bounds on an absolute value as the set of reals that they describe.

Law: only for a lone symbol between numbers, so that a set is exactly what the bounds say.
"""

from __future__ import annotations

import re

from inference.answers.rational import rational

_BAR = r"(?:\||\\[lr]?vert(?![a-zA-Z]))"
_ABSOLUTE = re.compile(rf"^(?:([^<≤|]+)([<≤]))?\s*{_BAR}\s*(?:[A-Za-z]|\\[a-z]+)\s*{_BAR}\s*([<≤])([^<≤|]+)$")


def absolute_bounds(text: str) -> str | None:
    r"""The key of `|x| < b`, the interval `(-b, b)`, or of `a < |x| < b`, the union `(-b, -a) ∪ (a, b)`; else None."""
    found = _ABSOLUTE.match(text)
    if found is None:
        return None
    lowest, highest = found.group(1), rational(found.group(4).strip())
    left, right = ("[]" if found.group(at) == "≤" else "()" for at in (2, 3))
    if highest is None or highest <= 0:
        return None
    if lowest is None:
        return f"{right[0]}q:{-highest};q:{highest}{right[1]}"
    low = rational(lowest.strip())
    if low is None or not 0 <= low < highest:
        return None
    sides = (f"{right[0]}q:{-highest};q:{-low}{left[1]}", f"{left[0]}q:{low};q:{highest}{right[1]}")
    return "u{" + ";".join(sorted(sides)) + "}"
