"""The methods that are compared: each is a strategy at every budget, with nothing tuned on the problems it is run on.

`nested` methods read off the first n solutions of a pool; `pooled` ones mostly sample whole solutions, which the pool
answers; `live` ones expand steps or revise, on the engines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from domain.effort import EFFORTS
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.sequential import Revisions, RevisionTree
from domain.specs.stochastic import AdaptiveBranching, Mcts, Particles
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase
from evaluation.curving.pools import Sampling

MAJORITY, WEIGHTED, BEST = "majority", "best-of-n weighted", "best-of-n best"
ADAPTIVE, EFFORT, OPTIMAL, VOTING = "adaptive", "adaptive by effort", "compute-optimal", "adaptive voting"
CHAIN = "revisions, one chain"
SURE_PARTICLES = "particles, sure steps once"


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    make: Callable[[int], StrategySpec]
    """Its spec at a budget of n."""
    guided: bool = True
    """It asks the verifier, so that it has an exact-checker arm."""
    default: bool = False
    """Users get it without asking for it, or by asking for none in particular."""
    budgets: tuple[int, ...] = ()
    """Only these; empty: any."""
    one_chain: bool = False
    temperature: float | None = None
    """Its own; None: that of all."""
    target: float | None = None
    """The confidence that the search is asked for."""
    judged: bool = False
    """Rows keep how sure the verdict was."""

    def spec(self, n: int, how: Sampling) -> StrategySpec:
        """Sampled like all others; a step's own token limit stays."""
        spec = self.make(n)
        changed: dict[str, Any] = {"temperature": how.temperature if self.temperature is None else self.temperature}
        if not isinstance(spec, Beam | Lookahead | Dvts | Rebase | Particles):
            changed["max_tokens"] = how.max_tokens
        return replace(spec, **changed)


def checked_budget(n: int) -> bool:
    """The exact-checker arm is measured at powers of 4."""
    return bool(n.bit_length() % 2)


def _by_effort(n: int) -> StrategySpec:
    preset = next(one for one in EFFORTS.values() if one.samples == n)
    return Adaptive(n=n, confidence=preset.confidence)


def _chains(ratio: float, n: int) -> StrategySpec:
    return Revisions(n=n, ratio=ratio)


def _priced(price: float, n: int) -> StrategySpec:
    return Adaptive(n=n, price=price)


NESTED = (
    Method(MAJORITY, lambda n: SelfConsistency(n=n), guided=False),
    Method(WEIGHTED, lambda n: BestOfN(n=n)),
    Method(BEST, lambda n: BestOfN(n=n, selection="best")),
)

POOLED = (
    Method(ADAPTIVE, lambda n: Adaptive(n=n), default=True),
    Method(EFFORT, _by_effort, default=True, budgets=tuple(one.samples for one in EFFORTS.values())),
    Method(OPTIMAL, lambda n: ComputeOptimal(n=n), default=True),
    Method(VOTING, lambda n: AdaptiveVoting(n=n), guided=False, budgets=(4, 16, 64)),
)

RATIOS = {"1:4": 1 / 4, "1:1": 1.0, "4:1": 4.0}
REVISING = (
    *(Method(f"revisions {name}", partial(_chains, ratio)) for name, ratio in RATIOS.items()),
    Method(CHAIN, lambda n: Revisions(n=n, ratio=float(n)), one_chain=True, budgets=(4, 16)),
)
TREES = (
    Method("adaptive branching", lambda n: AdaptiveBranching(n=n)),
    Method("revision tree", lambda n: RevisionTree(n=n)),
)
"""These and `REVISING` show earlier attempts, so that they depend on the reviser, too."""

STEPWISE = (
    Method("beam", lambda n: Beam(n=n)),
    Method("beam, M = √n", lambda n: Beam(n=n, width="sqrt")),
    Method("lookahead", lambda n: Lookahead(n=n, width="sqrt")),
    Method("DVTS", lambda n: Dvts(n=n)),
    Method("REBASE", lambda n: Rebase(n=n)),
    Method("particles", lambda n: Particles(n=n)),
    Method(SURE_PARTICLES, lambda n: Particles(n=n, certain=0.8, score_temperature=0.5)),
    Method("MCTS", lambda n: Mcts(n=n)),
)

GREEDY = Method("greedy", lambda n: SelfConsistency(n=n), guided=False, budgets=(1,), temperature=0.0)

TARGETS = (0.5, 0.7, 0.8, 0.9, 0.95)
JUDGED = (
    Method("adaptive, judged", lambda n: Adaptive(n=n), budgets=(64,), judged=True),
    Method("best of n, judged", lambda n: BestOfN(n=n), budgets=(16,), judged=True),
    Method("self-consistency, judged", lambda n: SelfConsistency(n=n), guided=False, budgets=(16,), judged=True),
)
ASKED = tuple(
    Method(f"adaptive, asked for {target}", lambda n: Adaptive(n=n), budgets=(64,), target=target, judged=True)
    for target in TARGETS
)
PRICES = (0.1, 0.06, 0.03, 0.02, 0.01, 0.006, 0.003, 0.002, 0.001, 0.0006, 0.0003, 0.0001)
"""Falling; where the searches of a batch's lines are recorded."""
PRICED = {price: Method(f"adaptive at price {price:g}", partial(_priced, price), budgets=(64,)) for price in PRICES}
"""As a line of a batch is searched: all as by default but the price."""

METHODS = {
    one.name: one for one in (GREEDY, *NESTED, *POOLED, *REVISING, *TREES, *STEPWISE, *JUDGED, *ASKED, *PRICED.values())
}
