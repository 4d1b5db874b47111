"""Budget forcing of a thinking model: longer by "wait", shorter by probes and by the traces' own certainty.

The first `warmup` traces are never given up; when all of them have ended, how certain they were says below what the
others are (DeepConf, 2508.15260, with the engine's log-probability of the sampled tokens in the place of the top-k
mean). Seeds depend on the trace and its turn alone. The verdict is a vote over the traces that ended in an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.ids import derive_seed
from domain.moves import Move, Outcome, Sample
from domain.problem import Problem
from domain.specs.sequential import BudgetForcing
from domain.verdict import Verdict
from search.choosing import own_text, standing
from search.growth import Growth, asked, came_back, recorded, sample_of
from search.thinking import Phase, Same, Trace, advanced, limit_of, prefix_of
from search.tree import Node
from search.verdicts import NOTHING
from search.voting import Ballot, class_of, tally


@dataclass(frozen=True, slots=True)
class State(Growth[BudgetForcing]):
    """A node is one call: a chunk of thinking, a probe or an answer. Those that end a solution hold its whole text."""

    traces: tuple[Trace, ...] = ()
    owners: tuple[int, ...] = ()
    """Index of the trace of each node."""
    ready: tuple[int, ...] = ()
    """Traces that a call may be asked for, ascending."""
    warming: bool = False
    """Whether traces wait until the first ones have ended."""
    floor: float | None = None
    """The mean log-probability of a chunk below which a trace is given up; None before it is known."""


class BudgetForcingStrategy:
    """Asks nothing of a verifier."""

    def start(self, problem: Problem, spec: BudgetForcing, seed: int) -> State:
        warming = spec.keep < 1.0 and spec.warmup < spec.n
        first = range(spec.warmup if warming else spec.n)
        return State(problem, spec, seed, traces=(Trace(),) * spec.n, ready=tuple(first), warming=warming)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        now, later = taken.ready[: max(limit, 0)], taken.ready[max(limit, 0) :]
        if not now:
            return state, ()
        samples = [_sample(taken, trace, node) for node, trace in enumerate(now, len(taken.nodes) + 1)]
        traces = list(taken.traces)
        for sample, trace in zip(samples, now, strict=True):
            traces[trace] = replace(traces[trace], turns=traces[trace].turns + 1, latest=sample.node)
        return asked(replace(taken, traces=tuple(traces), owners=(*taken.owners, *now), ready=later), samples, ())

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=False)

    def verdict(self, state: State) -> Verdict:
        known = _digested(state)
        ended = [trace for trace in known.traces if trace.phase is Phase.ENDED]
        voting = [trace for trace in ended if trace.solution]
        weights, why = _weights(known.spec, voting)
        ballots = [Ballot(known.nodes[one.solution - 1], weight) for one, weight in zip(voting, weights, strict=True)]
        classes = tally(ballots, known.nodes)
        back = came_back([known.nodes[trace.latest - 1] for trace in ended])
        return standing(classes, classes[0], back, why, own_text) if classes else NOTHING


def _weights(spec: BudgetForcing, voting: list[Trace]) -> tuple[list[float], str]:
    certain = [trace.certainty for trace in voting if trace.certainty is not None]
    if spec.selection == "majority" or len(certain) < len(voting):
        return [1.0] * len(voting), "most votes"
    return [math.exp(one) for one in certain], "largest sum of the traces' certainties"


def _sample(state: State, at: int, node: int) -> Sample:
    spec, trace = state.spec, state.traces[at]
    thinking = trace.phase is Phase.THINKING
    move = sample_of(state, node, parent=trace.latest, prefix=prefix_of(trace), stop=(spec.marker,) if thinking else ())
    return replace(
        move,
        seed=derive_seed(state.seed, "trace", at, trace.turns),
        max_tokens=limit_of(trace, spec),
        temperature=0.0 if trace.phase is Phase.PROBING else spec.temperature,
    )


def _digested(state: State) -> State:
    """Take in what has come, in the order of the nodes; then find the floor, once all warm-up traces have ended."""
    if not state.news:
        return state
    nodes, traces, ready = list(state.nodes), list(state.traces), list(state.ready)
    for node in (nodes[node - 1] for node in state.news):
        at = state.owners[node.id - 1]
        before, floor = traces[at], state.floor if at >= state.spec.warmup else None
        traces[at] = advanced(before, node, state.spec, floor, _same_in(nodes))
        if traces[at].phase is not Phase.ENDED:
            ready.append(at)
        elif traces[at].solution:
            nodes[node.id - 1] = replace(node, text=prefix_of(before) + node.text)
    taken = replace(state, nodes=tuple(nodes), traces=tuple(traces), news=(), ready=tuple(sorted(ready)))
    return _warmed_up(taken) if state.warming else taken


def _same_in(nodes: Sequence[Node]) -> Same:
    def same(one: Node, other: Node) -> bool:
        roots = class_of(nodes)
        return bool(one.answer and other.answer and roots[one.answer.key] == roots[other.answer.key])

    return same


def _warmed_up(state: State) -> State:
    """With the other traces ready, as soon as the first ones have ended."""
    spec, first = state.spec, state.traces[: state.spec.warmup]
    if any(trace.phase is not Phase.ENDED for trace in first):
        return state
    lows = sorted(trace.lowest for trace in first if trace.lowest is not None)
    floor = lows[min(int((1.0 - spec.keep) * len(lows)), len(lows) - 1)] if lows else None
    return replace(state, floor=floor, warming=False, ready=(*state.ready, *range(spec.warmup, spec.n)))
