"""Step-wise searches through the real loop, on the scripted models."""

from __future__ import annotations

import pytest

from domain.budget import Budget
from domain.events import Event, JobSubmitted, MoveSettled, MovesIssued
from domain.job import JobStatus
from domain.moves import FinishReason, Sampled, split_steps
from domain.problem import text_problem
from domain.recipe import StrategySpec
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase
from domain.verdict import StopReason
from inference.engines.script import parse_script
from inference.engines.scripted import ScriptedEngine
from inference.local import LocalPolicy, LocalVerifier
from inference.verifiers.scripted import ScriptedVerifier
from orchestrator.engines import Engines
from orchestrator.local import solve
from search.replay import fold

PROBLEM = "What is (8 + 5) * 6 - 3 * (2 + 4)?"
SPECS = [Beam(n=8, width=4), Lookahead(n=6, width=3), Dvts(n=8), Rebase(n=8)]
BY_NAME = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


async def searched(
    spec: StrategySpec,
    *,
    policy: str = "scripted:accuracy=0.6",
    verifier: str | None = "scripted:auc=0.999",
    **budget: int,
) -> tuple[JobSubmitted, list[Event]]:
    writer = LocalPolicy(ScriptedEngine(parse_script(policy), policy))
    reader = None if verifier is None else LocalVerifier(ScriptedVerifier(parse_script(verifier), verifier))
    submitted = JobSubmitted(text_problem(PROBLEM), spec, Budget(**budget), None, 7)
    try:
        _, events = await solve(submitted, Engines(writer, reader))
    finally:
        writer.close()
        if reader is not None:
            reader.close()
    return submitted, events


@BY_NAME
async def test_it_finds_the_answer_and_asks_nothing_beyond_an_end(spec: StrategySpec) -> None:
    _, events = await searched(spec)
    stopped = events[-1]
    assert (stopped.status, stopped.reason) == (JobStatus.COMPLETED, StopReason.COMPLETE)
    assert stopped.verdict.answer == "60"
    assert len(split_steps(stopped.verdict.solution)) == 5
    assert fold(events[:-1]).verdict() == stopped.verdict
    ended = {
        event.outcome.move_id
        for event in events
        if isinstance(event, MoveSettled)
        and isinstance(event.outcome, Sampled)
        and event.outcome.finish is FinishReason.END
    }
    issued = [
        move for event in events if isinstance(event, MovesIssued) for move in event.moves if move.kind == "sample"
    ]
    assert ended
    assert ended.isdisjoint(f"sample-{move.parent}" for move in issued)


@BY_NAME
async def test_a_budget_in_the_middle_leaves_the_best_so_far(spec: StrategySpec) -> None:
    _, events = await searched(spec, rollouts=30)
    stopped = events[-1]
    assert stopped.reason is StopReason.BUDGET_ROLLOUTS
    assert stopped.spend.rollouts == 30
    assert fold(events[:-1]).verdict() == stopped.verdict


@BY_NAME
async def test_without_a_verifier_it_votes(spec: StrategySpec) -> None:
    _, events = await searched(spec, policy="scripted:accuracy=0.99", verifier=None)
    stopped = events[-1]
    assert (stopped.reason, stopped.verdict.answer) == (StopReason.COMPLETE, "60")
    assert "nothing is scored" in stopped.verdict.why


@BY_NAME
async def test_cut_steps_are_no_solutions(spec: StrategySpec) -> None:
    """Each step has twelve tokens and may have five."""
    short = type(spec)(n=4, max_tokens=5)  # type: ignore[call-arg]
    _, events = await searched(short)
    assert events[-1].reason is StopReason.NO_ANSWER
    assert events[-1].spend.rollouts == 4
    assert events[-1].spend.verifier_calls == 0
