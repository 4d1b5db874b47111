"""Beam search over steps with a process reward model (2408.03314, section 5.2).

n first steps; then the n / M best go on, with n samples between them at each step, until they have ended. Where fewer
than n / M steps are distinct they share the n samples: a beam's width may be wasted by merging, its samples are not.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from domain.specs.tree import Beam, Lookahead
from search.contenders import contenders, continuations, ranked, split_evenly
from search.frontier import Expansion, Frontier, next_round
from search.stepwise import Stepwise

State: TypeAlias = Frontier[Beam]
AnyBeam = TypeVar("AnyBeam", Beam, Lookahead)


class BeamStrategy(Stepwise[Beam]):
    def plan(self, state: State) -> State | None:
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
