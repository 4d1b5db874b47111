"""What a search inside another one hands over: its solutions, and what they cost."""

from __future__ import annotations

import pytest

from domain.moves import ROOT, Sampled
from domain.problem import text_problem
from domain.recipe import StrategySpec
from domain.specs.sequential import RevisionTree
from domain.specs.stochastic import AdaptiveBranching, Particles
from search.stages import Stage, ask_stage, begin_stage, stage_over, stage_solutions, tell_stage
from search.tree import ScoreStatus
from tests.search.laws import answer_of

BASE = 10


def run(spec: StrategySpec, world: int) -> tuple[Stage, list[float], int]:
    """The stage when it is over, the FLOPs of each call, and how many samples came back."""
    stage, costs, sampled = begin_stage(text_problem("What is 3 * 4?"), spec, 7, BASE), [], 0
    while not stage_over(stage):
        stage, moves = ask_stage(stage, 3)
        for move in moves or stage.in_flight[:1]:
            outcome = answer_of(move, world)
            costs.append(outcome.cost.flops)
            sampled += isinstance(outcome, Sampled)
            stage = tell_stage(stage, outcome)
    return stage, costs, sampled


@pytest.mark.parametrize("spec", [AdaptiveBranching(n=12, parallel=2), RevisionTree(n=12, parallel=2)])
@pytest.mark.parametrize("world", range(5))
def test_all_solutions_of_a_tree_take_part(spec: StrategySpec, world: int) -> None:
    stage, _, sampled = run(spec, world)
    found = stage_solutions(stage)
    assert len(found) == sampled
    assert [node.id for node in found] == sorted({node.id for node in found})
    assert all(node.id > BASE and node.parent == ROOT for node in found)
    assert all(node.scoring is not ScoreStatus.NONE for node in found if node.finished), "copies have scores, too"


@pytest.mark.parametrize("spec", [AdaptiveBranching(n=6, parallel=2), Particles(n=4)])
def test_what_a_stage_cost_is_what_its_calls_cost(spec: StrategySpec) -> None:
    stage, costs, _ = run(spec, 1)
    assert stage.flops == sum(costs) > 0
