"""The Beta rule of Adaptive-Consistency a second time, apart from `search`: to check stop lengths against.

By numerical integration here, and by the authors' own package `AdaptiveConsistency` where it is installed (the extra
`peers`). Both see the answers one by one, as class numbers; a solution without an answer is no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

THRESHOLD = 0.95
Stop: TypeAlias = Callable[[Sequence[int]], bool]

_INTERVALS = 2000


def integrated_stop(answers: Sequence[int]) -> bool:
    """Whether P(p > 1/2) ≥ 0.95 for p ~ Beta(first + 1, second + 1), by Simpson's rule."""
    first, second, *_ = [*(count for _, count in Counter(answers).most_common(2)), 0, 0]
    return _upper_half(first, second) >= THRESHOLD


@cache
def _upper_half(first: int, second: int) -> float:
    def area(low: float, high: float) -> float:
        width = (high - low) / _INTERVALS
        points = (low + at * width for at in range(_INTERVALS + 1))
        values = [x**first * (1 - x) ** second for x in points]
        return (values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])) * width / 3

    upper, lower = area(0.5, 1.0), area(0.0, 0.5)
    return upper / (upper + lower)


def package_stop() -> Stop | None:
    """The authors' `AC.should_stop`; None where the package is not installed."""
    try:
        from adaptive_consistency import AC, BetaStoppingCriteria  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    rule: Any = AC(max_gens=10_000, stop_criteria=BetaStoppingCriteria(THRESHOLD))

    @cache
    def asked(answers: tuple[int, ...]) -> bool:
        return bool(rule.should_stop(list(answers)))

    # The rule reads only the two largest counts: asked once for each pair of these.
    def stop(answers: Sequence[int]) -> bool:
        counts = sorted(Counter(answers).values(), reverse=True)[:2]
        return asked(tuple(number for number, count in enumerate(counts) for _ in range(count))) if counts else False

    return stop


def stop_length(dealt: Sequence[str | None], same: Callable[[str, str], bool], stop: Stop, n: int) -> int:
    """How many of the `dealt` answers (keys, or None) a one-by-one sampler takes, at most `n`.

    Classes are found anew after each answer: two keys are one class when a chain of `same` findings joins them.
    """
    for taken in range(1, min(n, len(dealt)) + 1):
        keys = [key for key in dealt[:taken] if key is not None]
        if keys and stop(_classes(keys, same)):
            return taken
    return min(n, len(dealt))


def _classes(keys: Sequence[str], same: Callable[[str, str], bool]) -> list[int]:
    groups: list[set[str]] = []
    for key in dict.fromkeys(keys):
        joined = [group for group in groups if any(same(key, other) for other in group)]
        groups = [group for group in groups if group not in joined] + [set().union({key}, *joined)]
    return [next(number for number, group in enumerate(groups) if key in group) for key in keys]
