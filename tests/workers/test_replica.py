"""One engine seen from the orchestrator: batches, lost actors, restarts. The actor stands in for a Ray handle."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from ray.exceptions import PendingCallsLimitExceeded, RayActorError

from domain.budget import Spend
from domain.errors import EngineError
from domain.ports import ModelInfo, SampleRequest, StepScores
from inference.engines.base import CallFailure
from workers.replica import Replica


@dataclass
class Remote:
    """`handle.method.remote(…)`: the call's result can be awaited."""

    method: Any

    def remote(self, *arguments: Any) -> "asyncio.Task[Any]":
        return asyncio.ensure_future(self.method(*arguments))


@dataclass
class Actor:
    batches: list[list[str]] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    dead: bool = False
    loads: int = 0
    results: "asyncio.Queue[list[Any]]" = field(default_factory=asyncio.Queue)

    def __getattribute__(self, name: str) -> Any:
        if name in ("load", "submit", "collect", "abort"):
            return Remote(object.__getattribute__(self, "_" + name))
        return object.__getattribute__(self, name)

    async def _load(self) -> Any:
        self._check()
        self.loads += 1
        return type("Description", (), {"info": ModelInfo("m", 1, 1)})

    async def _submit(self, session: str, requests: list[SampleRequest]) -> None:
        self._check()
        self.batches.append([request.key for request in requests])

    async def _collect(self, session: str) -> list[Any]:
        results = await self.results.get()
        self._check()
        return results

    async def _abort(self, session: str, keys: list[str]) -> None:
        self.aborted += keys

    def _check(self) -> None:
        if self.dead:
            raise RayActorError


@contextlib.asynccontextmanager
async def serving(actor: Actor) -> AsyncIterator[Replica]:
    up = asyncio.Event()
    replica = Replica("policy-0", actor, "session", up.set)
    task = asyncio.create_task(replica.serve())
    await up.wait()
    try:
        yield replica
    finally:
        task.cancel()


def ask(key: str) -> SampleRequest:
    return SampleRequest(key, "?", "", 1, 8)


def scores(key: str) -> StepScores:
    return StepScores(key, (0.5,), Spend())


async def test_requests_of_one_turn_leave_together_and_results_find_their_callers() -> None:
    actor = Actor()
    async with serving(actor) as replica:
        calls = [asyncio.create_task(replica.call(ask(f"k{index}"))) for index in range(5)]
        await asyncio.sleep(0.01)
        assert actor.batches == [["k0", "k1", "k2", "k3", "k4"]]
        assert replica.load == 5
        actor.results.put_nowait([scores(f"k{index}") for index in reversed(range(5))])
        assert [result.key for result in await asyncio.gather(*calls)] == ["k0", "k1", "k2", "k3", "k4"]
        assert replica.load == 0


async def test_a_failure_is_raised_to_its_caller_alone() -> None:
    actor = Actor()
    async with serving(actor) as replica:
        bad, good = (asyncio.create_task(replica.call(ask(key))) for key in ("bad", "good"))
        await asyncio.sleep(0)
        actor.results.put_nowait([CallFailure("bad", "too long", retryable=False), scores("good"), scores("unknown")])
        assert (await good).key == "good"
        with pytest.raises(EngineError, match="too long") as caught:
            await bad
        assert not caught.value.retryable


async def test_a_lost_actor_fails_its_calls_and_is_used_again_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.replica.REVIVE_S", 0.01)
    actor = Actor()
    async with serving(actor) as replica:
        call = asyncio.create_task(replica.call(ask("k")))
        await asyncio.sleep(0.01)
        actor.dead = True
        actor.results.put_nowait([])
        with pytest.raises(EngineError) as caught:
            await call
        assert caught.value.retryable
        assert not replica.up
        actor.dead = False
        while not replica.up:
            await asyncio.sleep(0.005)
        assert actor.loads == 2
        again = asyncio.create_task(replica.call(ask("k")))
        await asyncio.sleep(0.01)
        actor.results.put_nowait([scores("k")])
        assert (await again).key == "k"


async def test_a_refused_message_does_not_leave_its_calls_waiting() -> None:
    actor = Actor()
    async with serving(actor) as replica:
        actor.dead = True
        with pytest.raises(EngineError):
            await asyncio.wait_for(replica.call(ask("k")), 1)


async def test_a_full_queue_of_the_actor_is_a_failure_to_its_callers() -> None:
    """Ray refuses in `.remote` itself then."""

    class Full(Actor):
        def __getattribute__(self, name: str) -> Any:
            if name == "submit":
                raise PendingCallsLimitExceeded("full")
            return super().__getattribute__(name)

    async with serving(Full()) as replica:
        with pytest.raises(EngineError):
            await asyncio.wait_for(replica.call(ask("k")), 1)


async def test_a_cancelled_call_is_aborted_in_the_engine() -> None:
    actor = Actor()
    async with serving(actor) as replica:
        call = asyncio.create_task(replica.call(ask("k")))
        await asyncio.sleep(0.01)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.01)
        assert actor.aborted == ["k"]
        assert replica.load == 0
