"""Beam search over steps with a process reward model (2408.03314, section 5.2).

n first steps; then the n / M best go on, with n samples between them at each step, until they have ended. Where fewer
than n / M steps are distinct they share the n samples: a beam's width may be wasted by merging, its samples are not.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from domain.moves import ROOT, Move, Outcome
from domain.problem import Problem
from domain.specs.tree import Beam, Lookahead
from domain.verdict import Verdict
from search.contenders import contenders, continuations, ranked, split_evenly
from search.frontier import Expansion, Frontier, Spec, ask, next_round, open_step, tell
from search.pool import pool_verdict
from search.tree import Node

State: TypeAlias = Frontier[Beam]
AnyBeam = TypeVar("AnyBeam", Beam, Lookahead)


class BeamStrategy:
    def start(self, problem: Problem, spec: Beam, seed: int) -> State:
        return Frontier(problem, spec, seed, (Expansion(ROOT, spec.n),))

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        return ask(state, limit, _plan)

    def tell(self, state: State, outcome: Outcome) -> State:
        return tell(state, outcome, leads_on)

    def verdict(self, state: State) -> Verdict:
        return pool_verdict(state)


def leads_on(state: Frontier[Spec], node: Node) -> bool:
    """Whether a score of this step decides anything: what is not finished by the last step takes no part."""
    return node.finished or (open_step(node) and state.depth < state.spec.max_steps)


def _plan(state: State) -> State | None:
    return next_round(state, beams(state))


def beams(state: Frontier[AnyBeam]) -> tuple[Expansion, ...]:
    """What the round's best steps get of its samples. A finished one keeps its place and its share ("hold"), so that
    the beam narrows by it; or only unfinished ones have places, until n solutions are there ("free")."""
    spec, group, samples = state.spec, contenders(state), _samples(state)
    if spec.finished == "free":
        group = tuple(one for one in group if one.open)
        samples = spec.n if sum(node.finished for node in state.nodes) < spec.n else 0
    width = continuations(spec.n, spec.width)
    kept = ranked(group)[: max(1, samples // width)]
    shares = split_evenly(samples, len(kept)) if kept else ()
    return tuple(Expansion(one.node.id, share) for one, share in zip(kept, shares, strict=True) if one.open and share)


def _samples(state: Frontier[AnyBeam]) -> int:
    """Steps that the round has sampled, without those of its look-ahead."""
    return sum(expansion.count for expansion in state.round if not expansion.greedy)
