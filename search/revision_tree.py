"""Search and revisions in one tree, which 2408.03314 leaves open: fresh solutions, revisions, restarts from a prefix.

A node is a whole solution. Each decision has two parts:

1. What kind of solution next? The three kinds are arms of a bandit. The reward of a solution is the share of the gap
   between the best score before it and 1 that it closed: 0 for no new best, 1 for a score of 1. A Beta posterior for
   each kind, one Thompson draw each, the largest wins.
2. From which solution? A revision wants the most promising one, a restart the most promising beginning: the mean of
   its score and of the scores that came from it, plus an upper confidence bonus that falls with each use.

While the verifier says nothing there is nothing to build on, and all solutions are sampled afresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.moves import STEP_SEPARATOR, Move, Outcome, Sample, split_steps
from domain.problem import Problem
from domain.specs.sequential import RevisionTree
from domain.verdict import Verdict
from search.arms import Arm, added, best_arm, credited, used
from search.choosing import by_verifier, value_of
from search.draws import Stream, stream
from search.growth import Growth, asked, attempts_to, came_back, recorded, sample_of
from search.posteriors import NOTHING_SEEN, Observed, drawn_mean
from search.scoring import due, own_solution, taken_in
from search.tree import Node, NodeStatus


class Kind(StrEnum):
    """Where a solution comes from."""

    FRESH = "fresh"
    REVISION = "revision"
    RESTART = "restart"


KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class State(Growth[RevisionTree]):
    kinds: tuple[Kind, ...] = ()
    """Of each node."""
    rewards: tuple[Observed, ...] = (NOTHING_SEEN,) * len(KINDS)
    """Of each kind, in the order of `KINDS`."""
    best: float = 0.0
    """The highest score so far."""
    revisable: tuple[Arm, ...] = ()
    restartable: tuple[Arm, ...] = ()


class RevisionTreeStrategy:
    """Scores each solution as soon as it is there, and decides again as soon as a score is."""

    def start(self, problem: Problem, spec: RevisionTree, seed: int) -> State:
        return State(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        taken, scores = due(taken, limit, own_solution(taken))
        open_ = len(taken.in_flight) + len(taken.unscored) + len(scores)
        room = min(limit - len(scores), taken.spec.parallel - open_, taken.spec.n - len(taken.nodes))
        samples: list[Sample] = []
        for _ in range(room):
            taken, sample = _decided(taken, len(taken.nodes) + len(samples) + 1)
            samples.append(sample)
        return asked(taken, samples, scores) if scores or samples else (state, ())

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=True)

    def verdict(self, state: State) -> Verdict:
        known, spec = _digested(state), state.spec
        return by_verifier(known.finished, came_back(known.nodes), spec.selection, spec.aggregation)


def _decided(state: State, node: int) -> tuple[State, Sample]:
    """The next solution's move, with its arm used once more."""
    kind = _drawn_kind(state, stream(state.seed, "kind", node))
    state = replace(state, kinds=(*state.kinds, kind))
    if kind is Kind.FRESH:
        return state, sample_of(state, node)
    tried = came_back(state.nodes)
    if kind is Kind.REVISION:
        arm = best_arm(state.revisable, state.spec.explore, tried)
        attempts = attempts_to(state.nodes, arm.node, state.spec.attempts)
        state = replace(state, revisable=used(state.revisable, arm))
        return state, sample_of(state, node, parent=arm.node, attempts=attempts)
    arm = best_arm(state.restartable, state.spec.explore, tried)
    state = replace(state, restartable=used(state.restartable, arm))
    return state, sample_of(state, node, parent=arm.node, prefix=_prefix(state.nodes[arm.node - 1].text, arm.steps))


def _drawn_kind(state: State, uniforms: Stream) -> Kind:
    """By Thompson sampling among the kinds that are possible by now."""
    possible = {Kind.FRESH: True, Kind.REVISION: bool(state.revisable), Kind.RESTART: bool(state.restartable)}
    draws = [(drawn_mean("beta", state.rewards[at], uniforms), -at) for at, kind in enumerate(KINDS) if possible[kind]]
    return KINDS[-max(draws)[1]]


def _digested(state: State) -> State:
    """Take in what has come, in the order of the nodes."""
    if not state.news:
        return state
    state, known = taken_in(state)
    for node in known:
        value = value_of(node, state.spec.aggregation)
        if value is not None:
            state = _with_value(state, node, value)
        elif node.status is NodeStatus.SAMPLED and not node.finished:
            state = _rewarded(state, node, 0.0)  # it was cut or names no answer: a real result of this kind
    return state


def _with_value(state: State, node: Node, value: float) -> State:
    gap = 1.0 - state.best
    state = _rewarded(state, node, max(value - state.best, 0.0) / gap if gap > 0.0 else 0.0)
    kind, width = state.kinds[node.id - 1], state.spec.width
    revisable, restartable = state.revisable, state.restartable
    if kind is Kind.REVISION:
        revisable = credited(revisable, node.parent, value)
    if kind is Kind.RESTART:
        restartable = credited(restartable, node.parent, value)
    if all(state.nodes[arm.node - 1].text != node.text for arm in revisable):
        revisable = added(revisable, Arm(node.id, value), width)
        steps, reached = before_the_fall(node.scores, state.spec.drop)
        if steps and steps < len(split_steps(node.text)):
            restartable = added(restartable, Arm(node.id, reached, steps), width)
    return replace(state, best=max(state.best, value), revisable=revisable, restartable=restartable)


def _rewarded(state: State, node: Node, reward: float) -> State:
    at = KINDS.index(state.kinds[node.id - 1])
    rewards = (*state.rewards[:at], state.rewards[at].told(reward), *state.rewards[at + 1 :])
    return replace(state, rewards=rewards)


def before_the_fall(scores: Iterable[float], drop: float) -> tuple[int, float]:
    """How many steps come before the first one whose score is below `drop` × the highest before it, and the score of
    the last of them; (0, 0.0) when no score has fallen so."""
    highest, last = 0.0, 0.0
    for at, score in enumerate(scores):
        if at and score < drop * highest:
            return at, last
        highest, last = max(highest, score), score
    return 0, 0.0


def _prefix(text: str, steps: int) -> str:
    """The first steps of a solution, up to where the policy goes on."""
    return "".join(step + STEP_SEPARATOR for step in split_steps(text)[:steps])
