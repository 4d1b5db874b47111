"""What strategies that grow a tree of whole solutions have in common."""

from __future__ import annotations

from dataclasses import dataclass

from domain.specs.parameters import choice, number


@dataclass(frozen=True, slots=True)
class SolutionTree:
    """At most `parallel` of the `n` decisions are open at a time: the more, the less each can learn from the others."""

    n: int = number(16, 1, 4096)
    parallel: int = number(4, 1, 256)
    selection: str = choice("weighted", "weighted", "best")
    aggregation: str = choice("last", "last", "min", "product", "mean", "geometric")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
