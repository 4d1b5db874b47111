"""Spec of voting that stops by itself once more votes would hardly change the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number


@dataclass(frozen=True, slots=True)
class AdaptiveVoting:
    """Sample until `rule` says that the vote is decided, at most `n` solutions (Adaptive-Consistency, 2305.11860).

    `threshold` is the probability that the rules `horizon`, `beta` and `dirichlet` ask for; `margin` and `window` are
    counts of votes for the rules of these names (`search.stop_rules` says what each rule means).
    """

    name: ClassVar[str] = "adaptive_voting"
    n: int = number(40, 1, 4096)
    rule: str = choice("horizon", "horizon", "beta", "dirichlet", "margin", "window")
    threshold: float = number(0.95, 0.5, 1.0)
    margin: int = number(4, 1, 4096)
    window: int = number(5, 2, 4096)
    round: int = number(1, 1, 4096)
    """Fewest solutions to sample side by side. 1 still samples several at once where no rule could stop earlier."""
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
