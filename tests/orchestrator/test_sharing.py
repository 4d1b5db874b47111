"""The line before the engines: bounded, fair between tenants, and left without a trace by what is aborted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from domain.budget import Budget
from domain.errors import EngineError
from domain.events import JobSubmitted
from domain.ids import JobId, TenantId
from domain.ports import Claim, SampleRequest
from domain.problem import text_problem
from domain.specs.parallel import SelfConsistency
from orchestrator.engines import Engines
from orchestrator.host import Host
from orchestrator.sharing import Gate, Share, Sharing
from tests.support.engines import FakePolicy, FakeStore, FakeVerifier, Quiet

BIG, SMALL = Share(TenantId("big"), 1.0, 0), Share(TenantId("small"), 1.0, 0)


def request(key: str) -> SampleRequest:
    return SampleRequest(key, "?", "", 1, 10)


def claim(tenant: str, weight: float = 1.0) -> Claim:
    return Claim(JobId(f"job-{tenant}"), 1, (), 0.0, TenantId(tenant), weight)


async def test_no_more_calls_than_the_engines_take_and_a_newcomer_is_among_the_next() -> None:
    policy = FakePolicy(delay_s=0.01)
    sharing = Sharing(Engines(policy, FakeVerifier()), lambda: 4)
    big, small = sharing.engines_for(claim("big")).policy, sharing.engines_for(claim("small")).policy
    flood = [asyncio.create_task(big.sample(request(f"big#{number}"))) for number in range(40)]
    await asyncio.sleep(0)
    done = await asyncio.wait_for(small.sample(request("small#0")), 5)
    assert done.key == "small#0"
    assert policy.most_running == 4
    assert [call.key for call in policy.calls].index("small#0") <= 5
    await asyncio.gather(*flood)
    assert len(policy.calls) == 41


async def test_what_is_aborted_in_the_line_costs_nothing() -> None:
    policy = FakePolicy(delay_s=0.05)
    shared = Sharing(Engines(policy, None), lambda: 1).engines_for(claim("t")).policy
    first = asyncio.create_task(shared.sample(request("a#0")))
    second = asyncio.create_task(shared.sample(request("b#0")))
    await asyncio.sleep(0)
    shared.abort(["b#0"])
    with pytest.raises(EngineError) as caught:
        await second
    assert (caught.value.retryable, caught.value.cost) == (False, None)
    await first
    assert [call.key for call in policy.calls] == ["a#0"]


async def test_who_is_cancelled_gives_its_place_on() -> None:
    gate = Gate(lambda: 1)
    entered: list[str] = []

    async def visit(key: str) -> None:
        async with gate.turn(key, BIG, 1.0):
            entered.append(key)
            await asyncio.sleep(0.01)

    tasks = {key: asyncio.create_task(visit(key)) for key in ("inside", "let in now", "waiting", "last")}
    await asyncio.sleep(0.001)
    tasks["waiting"].cancel()
    tasks["inside"].cancel()
    await asyncio.sleep(0)
    tasks["let in now"].cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert "last" in entered
    assert gate.waiting == 0
    await asyncio.wait_for(visit("after"), 1)


async def test_a_gate_that_grows_lets_more_in() -> None:
    size = 1
    gate = Gate(lambda: size)
    release = asyncio.Event()

    async def visit(key: str) -> None:
        async with gate.turn(key, SMALL, 1.0):
            await release.wait()

    tasks = [asyncio.create_task(visit(str(number))) for number in range(3)]
    await asyncio.sleep(0)
    assert gate.waiting == 2
    size = 10
    tasks.append(asyncio.create_task(visit("next")))
    await asyncio.sleep(0.001)
    assert gate.waiting == 0
    release.set()
    await asyncio.gather(*tasks)


async def test_attempts_of_one_job_keep_their_numbers_over_claims() -> None:
    """A call that is asked again must never join an earlier attempt (see `orchestrator.engines`)."""
    sharing = Sharing(Engines(FakePolicy(), None))
    first, second = sharing.engines_for(claim("t")), sharing.engines_for(claim("t"))
    assert first._numbers is second._numbers
    assert first._attempts is second._attempts


class TwoTenants(FakeStore):
    """The tenant is the job's name up to its dash."""

    async def claim(self, worker: str, limit: int, lease_s: float, reserved: int = 0) -> tuple[Claim, ...]:
        claims = await super().claim(worker, limit, lease_s, reserved)
        return tuple(replace(claim, tenant=TenantId(claim.job.split("-")[0])) for claim in claims)


async def test_a_small_search_ends_among_the_first_of_a_hosts_searches() -> None:
    """40 searches of one tenant hold the engine; the one search of another, which comes last, ends before most."""
    store, policy = TwoTenants(), FakePolicy(delay_s=0.004)
    event = JobSubmitted(text_problem("What is 3 * 4?"), SelfConsistency(n=8), Budget(), None, 7)
    for number in range(40):
        store.submit(f"big-{number}", event)
    store.submit("small-0", event)
    sharing = Sharing(Engines(policy, None), lambda: 8)
    host = Host(store, Quiet(), sharing, worker="w", max_jobs=100, lease_s=5)
    serving = asyncio.create_task(host.serve())
    async with asyncio.timeout(20):
        while len(store.ended) < 41:
            await asyncio.sleep(0.005)
    host.drain()
    await serving
    assert policy.most_running == 8
    assert list(store.ended).index(JobId("small-0")) < 8
