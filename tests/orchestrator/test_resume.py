"""Every strategy goes on after a crash at any point: no call is charged twice, none is lost, and the end is an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest

from domain.budget import Budget, Spend
from domain.events import Event, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.ids import JobId
from domain.job import JobStatus
from domain.ports import Claim
from domain.problem import text_problem
from domain.recipe import SPECS, parse_strategy
from inference.local import LocalPolicy, LocalVerifier
from orchestrator.engines import Engines
from orchestrator.local import ListRecorder
from orchestrator.run import Run
from search.replay import fold

CUTS = 8
"""Places at which each trace is cut, evenly spaced, beside its beginning and its end."""


async def run_from(events: Sequence[Event], fence: int) -> list[Event]:
    """The whole trace after another worker, with engines of its own, has ended the search."""
    policy = LocalPolicy.open("scripted:accuracy=0.5,tokens=40", threads=1)
    verifier = LocalVerifier.open("scripted:auc=0.9", threads=1)
    recorder = ListRecorder(events=list(events))
    try:
        await Run(Claim(JobId("j"), fence, tuple(events), 1.0), f"w{fence}", Engines(policy, verifier), recorder).run()
    finally:
        policy.close()
        verifier.close()
    return recorder.events


def settled(events: Sequence[Event]) -> list[MoveSettled]:
    return [event for event in events if isinstance(event, MoveSettled)]


def shown(events: Sequence[Event]) -> tuple[object, ...]:
    """What a user sees of the end."""
    stopped = events[-1]
    assert isinstance(stopped, JobStopped)
    return stopped.status, stopped.reason, stopped.verdict.answer, stopped.spend


def check(events: Sequence[Event]) -> None:
    """Each issued call settled once, the spend is their sum, and the trace folds to the verdict."""
    stopped = events[-1]
    assert isinstance(stopped, JobStopped)
    calls = settled(events)
    keys = [event.call_key for event in calls]
    assert len(keys) == len(set(keys))
    issued = [move.id for event in events if isinstance(event, MovesIssued) for move in event.moves]
    assert sorted(issued) == sorted(event.outcome.move_id for event in calls)
    assert sum((event.outcome.cost for event in calls), Spend()) == stopped.spend
    assert fold(events[:-1]).verdict() == stopped.verdict


@pytest.mark.parametrize("name", SPECS)
async def test_it_goes_on_from_any_cut(name: str) -> None:
    # With several decisions open, what is decided next may depend on which of them comes back first.
    one_by_one = {"parallel": 1} if "parallel" in {item.name for item in fields(SPECS[name])} else {}
    spec = parse_strategy({"name": name, "n": 6, **one_by_one})
    first = JobSubmitted(text_problem("What is 3 + 4 * 2?"), spec, Budget(), None, 42)
    whole = await run_from([first], 1)
    check(whole)
    assert shown(whole)[0] is JobStatus.COMPLETED
    last = len(whole) - 1  # what was stopped is not claimed again
    for cut in sorted({1, last, *(1 + at * last // CUTS for at in range(CUTS))}):
        resumed = await run_from(whole[:cut], 2)
        check(resumed)
        assert resumed[:cut] == whole[:cut]
        assert shown(resumed)[0] is JobStatus.COMPLETED
        assert shown(resumed) == shown(whole), cut
