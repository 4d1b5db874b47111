"""Which engine a call goes to; and calls that wait for one: they cost nothing when they are aborted before."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.errors import EngineError
from domain.ports import SampleRequest
from workers.fleet import AHEAD, Pool


async def test_a_call_that_waits_for_an_engine_is_aborted_at_no_cost() -> None:
    pool = Pool("policy", "model")
    waiting = [asyncio.create_task(pool.call(SampleRequest(key, "?", "", 1, 8))) for key in ("a", "b")]
    await asyncio.sleep(0.01)
    pool.abort(["a", "unknown"])
    with pytest.raises(EngineError) as caught:
        await asyncio.wait_for(waiting[0], 1)
    assert (caught.value.retryable, caught.value.cost) == (False, None)
    assert not waiting[1].done()
    waiting[1].cancel()


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.fleet.PATIENCE_S", 0.02)
    with pytest.raises(EngineError, match="no policy engine came up"):
        await Pool("policy", "model").call(SampleRequest("k", "?", "", 1, 8))


@dataclass
class Idle:
    """A replica that takes calls and never ends them."""

    up: bool = True
    calls: list[SampleRequest] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.calls)

    async def call(self, request: SampleRequest) -> None:
        self.calls.append(request)


def pool_of(**replicas: Any) -> Pool:
    pool = Pool("policy", "model")
    pool._replicas = {name: (replica, None) for name, replica in replicas.items()}  # type: ignore[misc]
    return pool


async def test_a_problems_calls_go_to_one_engine_until_it_is_clearly_busier() -> None:
    replicas = {name: Idle() for name in "abc"}
    pool = pool_of(**replicas)
    for at in range(AHEAD + 1):
        await pool.call(SampleRequest(str(at), "?", "", at, 8))
    assert sorted(replica.load for replica in replicas.values()) == [0, 0, AHEAD + 1]
    for at in range(60):
        await pool.call(SampleRequest(f"more-{at}", "?", "", at, 8))
    loads = sorted(replica.load for replica in replicas.values())
    assert (sum(loads), loads[2] - loads[0]) == (AHEAD + 61, AHEAD + 1)


async def test_problems_are_spread_and_stay_when_an_engine_goes() -> None:
    replicas = {name: Idle() for name in "abc"}
    pool = pool_of(**replicas)
    for at in range(60):
        await pool.call(SampleRequest(str(at), f"problem {at}", "", at, 8))
    homes = {call.problem: name for name, replica in replicas.items() for call in replica.calls}
    assert min(replica.load for replica in replicas.values()) >= 8
    replicas["a"].up = False
    for name in "bc":
        replicas[name].calls.clear()
    for at in range(30):
        await pool.call(SampleRequest(str(at), f"problem {at}", "", at, 8))
    stayed = [call.problem for name in "bc" for call in replicas[name].calls if homes[call.problem] == name]
    assert len(stayed) == sum(homes[f"problem {at}"] != "a" for at in range(30))
