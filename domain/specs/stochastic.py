"""Specs of strategies that draw their decisions: adaptive branching, particle filtering, Monte-Carlo tree search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number
from domain.specs.solutions import SolutionTree
from domain.specs.tree import StepSearch


@dataclass(frozen=True, slots=True)
class AdaptiveBranching(SolutionTree):
    """Go wider or deeper at each node of a tree of solutions, by Thompson sampling (AB-MCTS-A, 2503.04412).

    Each node weighs a new child (a fresh solution at the root, a revision elsewhere) against going on from its
    children; scores of all that came from below are aggregated there. `prior` is the family of the posteriors:
    "beta" (a score is a probability) or "gaussian" (the paper's). `parallel` decisions are open at most.
    """

    name: ClassVar[str] = "adaptive_branching"
    prior: str = choice("beta", "beta", "gaussian")
    attempts: int = number(4, 1, 4)


@dataclass(frozen=True, slots=True)
class Particles(StepSearch):
    """Particle filtering (2502.01618): `n` solutions grow a step at a time; after each step those that go on are drawn
    in proportion to the odds p / (1 − p) of their scores, to the power 1 / `score_temperature`.

    "systematic" resampling takes evenly spaced draws, "multinomial" independent ones. A finished solution is kept and
    its place is not given away, so that about `n` of them vote in the end.
    """

    name: ClassVar[str] = "particles"
    score_temperature: float = number(1.0, 0.01, 100.0)
    resampling: str = choice("systematic", "systematic", "multinomial")


@dataclass(frozen=True, slots=True)
class Mcts(SolutionTree):
    """Monte-Carlo tree search over steps: PUCT with the verifier's scores as values and the policy's own frequencies as
    priors. Each of the `n` simulations goes down to the beginning of a solution and samples the rest of it.

    A beginning is given ⌈`width` × (1 + visits)^`widening`⌉ samples before the search goes below it; `explore` is the
    weight of the exploration term. At most `parallel` simulations are open, each a virtual loss on its way.

    Where the policy is sure of its steps, a `width` of 1 or 2 mostly comes to solutions that are there already.
    """

    name: ClassVar[str] = "mcts"
    explore: float = number(1.0, 0.0, 100.0)
    width: int = number(4, 1, 64)
    widening: float = number(0.5, 0.0, 1.0)
