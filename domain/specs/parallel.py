"""Specs of strategies that sample whole solutions side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Sample `n` solutions; the class of equivalent answers with the most votes wins (Wang et al., 2203.11171)."""

    name: ClassVar[str] = "self_consistency"
    n: int = number(16, 1, 4096)
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Sample `n` solutions and score each with the verifier (2408.03314, section 5.2).

    `selection` "weighted" sums the scores of all solutions with the same answer; "best" takes the one best solution.
    `aggregation` makes one number of a solution's step scores.
    """

    name: ClassVar[str] = "best_of_n"
    n: int = number(16, 1, 4096)
    selection: str = choice("weighted", "weighted", "best")
    aggregation: str = choice("last", "last", "min", "product", "mean", "geometric")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
