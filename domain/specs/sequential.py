"""Specs of strategies that build on whole solutions: chains of revisions, and trees of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number


@dataclass(frozen=True, slots=True)
class Revisions:
    """Sample `n` solutions in parallel chains, each one revising those before it in its chain (2408.03314, section 6).

    `ratio` is sequential to parallel: the length of a chain over the number of chains, so that 1/n is all in parallel
    and n is one chain. Each revision sees the latest `attempts` of its chain. The verdict is over all attempts of all
    chains: "weighted" sums scores by answer, "hierarchical" does so within each chain and then over the chains' best,
    "best" takes the one best solution, "majority" votes and asks nothing of the verifier.
    """

    name: ClassVar[str] = "revisions"
    n: int = number(16, 1, 4096)
    ratio: float = number(1.0, 1 / 4096, 4096.0)
    attempts: int = number(4, 1, 4)
    selection: str = choice("weighted", "weighted", "hierarchical", "best", "majority")
    aggregation: str = choice("last", "last", "min", "product", "mean")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
