"""How hard a problem looks after a small probe: a bin, 0 the easiest, by the policy's predicted pass rate.

The probe's solutions are charged like all others (2408.03314 leaves the cost of estimating difficulty out).
"""

from __future__ import annotations

from domain.calibration import Choice, Difficulty
from domain.verdict import Evidence
from search.features import probability


def predicted_pass_rate(difficulty: Difficulty, evidence: Evidence) -> float:
    return probability(difficulty.logistic, evidence)


def bin_of(difficulty: Difficulty, evidence: Evidence) -> int:
    """From 0 to the number of edges."""
    rate = predicted_pass_rate(difficulty, evidence)
    return sum(rate < edge for edge in difficulty.edges)


def best_choice(choices: tuple[Choice, ...], bin_: int, n: int) -> Choice | None:
    """The fitted choice for the largest budget of at most `n`; None where none was fitted for so small a budget."""
    fitting = [one for one in choices if one.bin == bin_ and one.samples <= n]
    return max(fitting, key=lambda one: one.samples, default=None)
