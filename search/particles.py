"""Particle filtering (2502.01618): the policy proposes steps, the verifier's scores say which of them go on.

    weight of a step = (times it was sampled) × (p / (1 − p))^(1 / T)

Resampling draws, so that a step which the verifier underrates still has its chance, where a beam would prune it. A
finished solution is kept: only what is unfinished is drawn from, for the places that are not finished yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from domain.specs.stochastic import Particles
from search.contenders import Contender, contenders, ranked
from search.draws import multinomial, stream, systematic
from search.frontier import Expansion, Frontier, next_round
from search.stepwise import Stepwise

State: TypeAlias = Frontier[Particles]

EDGE = 1e-6
"""Scores are kept this far from 0 and 1, where the odds end."""


class ParticlesStrategy(Stepwise[Particles]):
    def plan(self, state: State) -> State | None:
        return _plan(state)


def _plan(state: State) -> State | None:
    """Resample. The places of cut solutions are drawn anew with the others."""
    going = ranked(one for one in contenders(state) if one.open)
    places = state.spec.n - sum(node.finished for node in state.nodes)
    if not going or places <= 0:
        return None
    drawn = _resampled(state, weights(going, state.spec.score_temperature), places)
    counts = [drawn.count(at) for at in range(len(going))]
    return next_round(
        state, tuple(Expansion(one.node.id, count) for one, count in zip(going, counts, strict=True) if count)
    )


def weights(group: Sequence[Contender], temperature: float) -> list[float]:
    """Not normalised; the largest odds count as 1. Where no step has a score, only how often it was sampled counts."""
    log_odds = [0.0 if one.value is None else _log_odds(one.value) / temperature for one in group]
    most = max(log_odds)
    return [one.count * math.exp(log_odd - most) for one, log_odd in zip(group, log_odds, strict=True)]


def _log_odds(p: float) -> float:
    p = min(max(p, EDGE), 1.0 - EDGE)
    return math.log(p / (1.0 - p))


def _resampled(state: State, shares: Sequence[float], places: int) -> list[int]:
    uniforms = stream(state.seed, "resample", state.depth)
    if state.spec.resampling == "systematic":
        return systematic(shares, places, next(uniforms))
    return multinomial(shares, places, uniforms)
