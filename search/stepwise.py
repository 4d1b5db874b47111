"""What the strategies over steps share: a frontier that is asked and told, and a verdict over what has finished.

A strategy says only what the next round is (`plan`); where its needs differ it says how a search begins, or which new
steps are scored on arrival.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic

from domain.moves import ROOT, Move, Outcome
from domain.problem import Problem
from domain.verdict import Verdict
from search.frontier import Expansion, Frontier, Spec, ask, open_step, tell
from search.pool import pool_verdict
from search.scouting import scouted, with_rest
from search.tree import Node


class Stepwise(ABC, Generic[Spec]):
    def start(self, problem: Problem, spec: Spec, seed: int) -> Frontier[Spec]:
        return scouted(Frontier(problem, spec, seed, self.first(spec)))

    def ask(self, state: Frontier[Spec], limit: int) -> tuple[Frontier[Spec], tuple[Move, ...]]:
        return ask(state, limit, self._next)

    def tell(self, state: Frontier[Spec], outcome: Outcome) -> Frontier[Spec]:
        return with_rest(tell(state, outcome, self.leads_on))

    def verdict(self, state: Frontier[Spec]) -> Verdict:
        return pool_verdict(state)

    def _next(self, state: Frontier[Spec]) -> Frontier[Spec] | None:
        planned = self.plan(state)
        begun = planned is not None and planned.first != state.first
        return scouted(planned) if planned is not None and begun else planned

    @abstractmethod
    def plan(self, state: Frontier[Spec]) -> Frontier[Spec] | None:
        """The state with more to do once a round is over; None when the search has ended."""

    def first(self, spec: Spec) -> tuple[Expansion, ...]:
        """The first steps."""
        return (Expansion(ROOT, spec.n),)

    def leads_on(self, state: Frontier[Spec], node: Node) -> bool:
        """Whether a score of this new step decides anything: what isn't finished by the last step takes no part."""
        return node.finished or (open_step(node) and state.depth < state.spec.max_steps)
