"""A whole search inside another one: its moves and nodes under names of their own.

Law: a stage is the inner strategy's state and nothing more, so that the laws of the inner one hold for the outer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.moves import ROOT, FinishReason, Move, Outcome, Sample
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.verdict import Verdict
from search.frontier import Frontier, solution
from search.growth import Growth
from search.scoring import taken_in
from search.strategy import Strategy
from search.tree import Node, NodeStatus, ScoreStatus


@dataclass(frozen=True, slots=True)
class Stage:
    spec: StrategySpec
    state: Any
    base: int
    """Nodes that the outer search had before it."""
    flops: float = 0.0
    """What its calls have cost so far."""

    @property
    def in_flight(self) -> tuple[Move, ...]:
        return tuple(_outer(move, self.base) for move in self.state.in_flight)


def begin_stage(problem: Problem, spec: StrategySpec, seed: int, base: int) -> Stage:
    """`seed` is the stage's own: no move of it may repeat one of the outer search."""
    return Stage(spec, _strategy(spec).start(problem, spec, seed), base)


def ask_stage(stage: Stage, limit: int) -> tuple[Stage, tuple[Move, ...]]:
    state, moves = _strategy(stage.spec).ask(stage.state, limit)
    return replace(stage, state=state), tuple(_outer(move, stage.base) for move in moves)


def tell_stage(stage: Stage, outcome: Outcome) -> Stage:
    inner = replace(outcome, move_id=outcome.move_id.removeprefix(_prefix(stage.base)))
    state = _strategy(stage.spec).tell(stage.state, inner)
    return replace(stage, state=state, flops=stage.flops + outcome.cost.flops)


def told_by_owner(stages: tuple[Stage, ...], outcome: Outcome) -> tuple[Stage, ...] | None:
    """The stages after the outcome of a move that one of them owns; None where none does."""
    for at, stage in enumerate(stages):
        if owns(stage, outcome.move_id):
            return (*stages[:at], tell_stage(stage, outcome), *stages[at + 1 :])
    return None


def asked_in(stages: Sequence[Stage]) -> tuple[Move, ...]:
    """What is in flight in any of them."""
    return tuple(move for stage in stages for move in stage.in_flight)


def solutions_in(stages: Sequence[Stage]) -> tuple[Node, ...]:
    """What each of them came to (`stage_solutions`), in their order."""
    return tuple(node for stage in stages for node in stage_solutions(stage))


def nodes_in(stages: Sequence[Stage]) -> int:
    """How many ids they have taken."""
    return sum(len(stage.state.nodes) for stage in stages)


def stage_over(stage: Stage) -> bool:
    """Whether it has nothing more to ask or to hear."""
    return not stage.in_flight and not ask_stage(stage, 1)[1]


def owns(stage: Stage, move_id: str) -> bool:
    return move_id.startswith(_prefix(stage.base))


def stage_verdict(stage: Stage) -> Verdict:
    return _strategy(stage.spec).verdict(stage.state)


def stage_solutions(stage: Stage) -> tuple[Node, ...]:
    """What the stage came to, as whole solutions that hang on the problem itself.

    Of a search over steps every sample after which nothing can be asked, each with the score of its last step; of a
    search whose nodes grow from one another every one that was sampled. They are kin, so that only a model that was
    fitted on such searches may count them. Of any other search its answer alone.
    """
    if isinstance(stage.state, Frontier):
        return tuple(_whole(stage, node) for node in stage.state.nodes if _ended(node))
    if isinstance(stage.state, Growth):
        # Copies of what is scored have their scores by now; a search that is over has not looked.
        grown = taken_in(stage.state)[0].nodes
        return tuple(_outermost(stage, node) for node in grown if node.status is NodeStatus.SAMPLED)
    chosen = _ballot(stage)
    return () if chosen is None else (chosen,)


def _ended(node: Node) -> bool:
    return node.status is NodeStatus.SAMPLED and node.finish is not FinishReason.STOP


def _whole(stage: Stage, node: Node) -> Node:
    return replace(_outermost(stage, node), text=solution(stage.state.nodes, node.id))


def _outermost(stage: Stage, node: Node) -> Node:
    return replace(node, id=node.id + stage.base, parent=ROOT)


def _ballot(stage: Stage) -> Node | None:
    """One solution that stands for the stage's answer, with the best score of that answer; None without an answer."""
    verdict = stage_verdict(stage)
    nodes: tuple[Node, ...] = stage.state.nodes
    chosen = next((one for one in nodes if one.finished and one.answer and one.answer.text == verdict.answer), None)
    if verdict.answer is None or verdict.solution is None or chosen is None:
        return None
    scored = verdict.evidence is not None and verdict.evidence.scored > 0
    return replace(
        chosen,
        id=chosen.id + stage.base,
        parent=ROOT,
        text=verdict.solution,
        scoring=ScoreStatus.SCORED if scored else ScoreStatus.NONE,
        scores=(verdict.evidence.best,) if scored and verdict.evidence is not None else (),
    )


def _strategy(spec: StrategySpec) -> Strategy[Any, Any]:
    # The registry knows the strategies that hold stages, too.
    from search.registry import strategy_for

    return strategy_for(spec)


def _outer(move: Move, base: int) -> Move:
    named = replace(move, id=_prefix(base) + move.id, node=move.node + base)
    if isinstance(named, Sample) and named.parent != ROOT:
        return replace(named, parent=named.parent + base)
    return named


def _prefix(base: int) -> str:
    return f"stage-{base}-"
