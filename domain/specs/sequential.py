"""Specs of strategies that build on whole solutions: chains of revisions, and trees of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number
from domain.specs.solutions import SolutionTree


@dataclass(frozen=True, slots=True)
class Revisions:
    """Sample `n` solutions in parallel chains, each one revising those before it in its chain (2408.03314, section 6).

    `ratio` is sequential to parallel: the length of a chain over the number of chains, so that 1/n is all in parallel
    and n is one chain. Each revision sees the latest `attempts` of its chain. The verdict is over all attempts of all
    chains: "best" takes the best of the chains' best, where an answer other than its chain's first one must be better
    by `margin` (of many revisions the luckiest looks good); "weighted" sums scores by answer, "hierarchical" does so
    within each chain and then over the chains' best, "majority" votes and asks nothing of the verifier. Attempts of a
    chain copy each other, so that a sum may count one mistake many times.
    """

    name: ClassVar[str] = "revisions"
    n: int = number(16, 1, 4096)
    ratio: float = number(1.0, 1 / 4096, 4096.0)
    attempts: int = number(4, 1, 4)
    selection: str = choice("best", "weighted", "hierarchical", "best", "majority")
    aggregation: str = choice("geometric", "last", "min", "product", "mean", "geometric")
    margin: float = number(0.1, 0.0, 1.0, before=0.0)
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)


@dataclass(frozen=True, slots=True)
class RevisionTree(SolutionTree):
    """Search and revisions in one tree (left open by 2408.03314): each of the `n` solutions is sampled afresh, or
    revises a promising one, or starts again from the steps before that one's score first fell.

    Which of the three is drawn by how much of the gap between the best score and 1 each has closed so far; which
    solution, by its score and an upper confidence bonus of weight `explore`, among the best `width`. A step's score has
    fallen when it is below `drop` × the highest before it. At most `parallel` decisions are open: the more there are,
    the less each one can learn from the others.
    """

    name: ClassVar[str] = "revision_tree"
    width: int = number(4, 1, 64)
    explore: float = number(0.3, 0.0, 10.0)
    drop: float = number(0.5, 0.0, 1.0)
    attempts: int = number(4, 1, 4)


@dataclass(frozen=True, slots=True)
class BudgetForcing:
    """Steer how long a thinking model thinks: `n` traces, sampled `chunk_tokens` at a time, that vote in the end.

    A trace that ends its thinking (the `marker`) is told to wait and go on, up to `waits` times; at `thinking_tokens`
    its thinking is closed and an answer forced (s1, 2501.19393). After each chunk its answer is asked for in a probe of
    at most `probe_tokens`; after `probes` equal answers in a row the trace is over (0: no probes; 2412.20993). Once
    `warmup` traces have ended, others are given up when a chunk of theirs is less certain than the least certain chunk
    was in a share of `keep` of those (1: none is given up; DeepConf, 2508.15260). `max_tokens` limits the answer.

    "confidence" weighs a vote by the geometric mean probability of a token in the trace's least certain chunk.
    """

    name: ClassVar[str] = "budget_forcing"
    n: int = number(4, 1, 4096)
    waits: int = number(1, 0, 64)
    thinking_tokens: int = number(4096, 1, 131_072)
    chunk_tokens: int = number(512, 1, 131_072)
    probes: int = number(2, 0, 64)
    probe_tokens: int = number(32, 1, 4096)
    warmup: int = number(8, 1, 4096)
    keep: float = number(0.9, 0.0, 1.0)
    marker: str = choice("</think>", "</think>", "[/THINK]", "<|end_of_thought|>")
    selection: str = choice("confidence", "confidence", "majority")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
