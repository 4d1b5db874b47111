"""Specs of strategies that draw their decisions: adaptive branching, particle filtering, Monte-Carlo tree search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number


@dataclass(frozen=True, slots=True)
class AdaptiveBranching:
    """Go wider or deeper at each node of a tree of solutions, by Thompson sampling (AB-MCTS-A, 2503.04412).

    Each node weighs a new child (a fresh solution at the root, a revision elsewhere) against going on from its
    children; scores of all that came from below are aggregated there. `prior` is the family of the posteriors:
    "beta" (a score is a probability) or "gaussian" (the paper's). `parallel` decisions are open at most.
    """

    name: ClassVar[str] = "adaptive_branching"
    n: int = number(16, 1, 4096)
    parallel: int = number(4, 1, 256)
    prior: str = choice("beta", "beta", "gaussian")
    attempts: int = number(4, 1, 4)
    selection: str = choice("weighted", "weighted", "best")
    aggregation: str = choice("last", "last", "min", "product", "mean")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
