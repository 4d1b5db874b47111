"""Every strategy and every effort over HTTP: it ends, its trace folds to its verdict, and its ceiling holds."""

import asyncio

import pytest

from cli.stack.background import BackgroundStack
from domain.codec import decode_event
from domain.effort import EFFORTS
from domain.recipe import SPECS
from search.replay import fold
from tests.support.service import User

pytestmark = pytest.mark.integration

SEARCHES = [*({"strategy": {"name": name, "n": 4}} for name in SPECS), *({"effort": name} for name in EFFORTS)]


async def test_every_strategy_and_every_effort_ends_and_replays(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        created = [await user.submit(**search, seed=5, budget={"rollouts": 64}) for search in SEARCHES]
        jobs = await asyncio.gather(*(user.ended(one["id"]) for one in created))
        traces = [await user.trace(job["id"]) for job in jobs]
    for search, job, trace in zip(SEARCHES, jobs, traces, strict=True):
        stored = [decode_event({name: one[name] for name in one if name not in ("seq", "at")}) for one in trace]
        assert job["status"] in ("completed", "incomplete"), search
        assert (job["answer"] is not None, job["usage"]["rollouts"] <= 64) == (True, True), search
        assert fold(stored).verdict().answer == job["answer"], search


async def test_a_huge_search_with_a_tiny_budget_stays_within_it(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        created = [
            await user.submit(strategy={"name": name, "n": 1024}, budget={"tokens": 300}, seed=5) for name in SPECS
        ]
        jobs = await asyncio.gather(*(user.ended(one["id"]) for one in created))
    for name, job in zip(SPECS, jobs, strict=True):
        usage = job["usage"]
        assert (job["status"], job["stop_reason"]) == ("incomplete", "budget_tokens"), name
        assert usage["generated_tokens"] + usage["verified_tokens"] <= 300, name
