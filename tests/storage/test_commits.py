"""Group commit: written once however often it is sent, and only under the fence that holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from domain.budget import Spend
from domain.events import Event, MoveSettled
from domain.ids import JobId, TenantId
from domain.job import JobStatus
from domain.moves import Failed, FailureKind, FinishReason, Sampled
from domain.ports import Claim, JobWrite
from domain.verdict import StopReason, Verdict
from storage.database import Database
from storage.deliveries import Deliveries
from storage.failures import StatementRefused
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import COST, VERDICT, call, ending, expire_leases, new_job, progress, run_sql, scalar, settled

pytestmark = pytest.mark.integration

TOTAL = Spend(10, 20, 30, 4.5e18, 5, 6)


async def claimed(jobs: Jobs, store: PostgresJobStore, tenant: TenantId, number: int = 1) -> tuple[Claim, ...]:
    for _ in range(number):
        await jobs.submit(new_job(tenant, webhook_url="https://example.org/hook", metadata=(("a", "b"),)))
    return await store.claim("w", number, 60)


async def test_many_jobs_commit_together(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    claims = await claimed(jobs, store, tenant, 10)
    writes = [progress(claim.job, claim.fence, count=7, spend=TOTAL) for claim in claims]
    assert await store.commit(writes) == frozenset()
    for write in writes:
        events, _ = await Traces(database).page(tenant, write.job)
        assert [item.seq for item in events] == list(range(8))
        assert tuple(item.event for item in events[1:]) == write.events
        assert (await jobs.get(tenant, write.job)).spend == TOTAL
    assert await scalar(database, "SELECT count(*) FROM calls") == 70
    cost = "SELECT sum(generated_tokens) + sum(rollouts) FROM calls"
    assert await scalar(database, cost) == 70 * (COST.generated_tokens + COST.rollouts)


async def test_a_write_sent_twice_counts_once(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    write = progress(claim.job, claim.fence, count=3, spend=TOTAL)
    for _ in range(2):
        assert await store.commit([write]) == frozenset()
    assert await scalar(database, "SELECT count(*) FROM events") == 4
    assert await scalar(database, "SELECT count(*) FROM calls") == 3
    assert (await jobs.get(tenant, claim.job)).spend == TOTAL


async def test_a_call_key_counts_once_also_under_another_event(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    first = replace(progress(claim.job, 1), events=(settled(1, "k"),), calls=(call("k"),))
    dear = replace(call("k"), cost=TOTAL)
    second = replace(progress(claim.job, 1, first_seq=2), events=(settled(2, "k"),), calls=(dear,))
    await store.commit([first])
    await store.commit([second])
    assert await scalar(database, "SELECT count(*) FROM calls") == 1
    assert await scalar(database, "SELECT rollouts FROM calls") == COST.rollouts
    assert (await jobs.get(tenant, claim.job)).spend == second.spend


async def test_lost_jobs_do_not_stop_the_others(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    mine, stolen = await claimed(jobs, store, tenant, 2)
    await run_sql(database, "UPDATE jobs SET fence = 2 WHERE id = :id", id=stolen.job)
    unknown = JobId("job_" + "0" * 26)
    writes = [progress(mine.job, 1), progress(stolen.job, 1), progress(unknown, 1)]
    assert await store.commit(writes) == {stolen.job, unknown}
    assert await scalar(database, "SELECT array_agg(DISTINCT job_id) FROM calls") == [mine.job]


async def test_a_job_that_its_worker_lost_and_took_again_is_not_lost(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await expire_leases(database)
    await store.claim("w", 1, 60)
    writes = [progress(claim.job, 1, first_seq=7), progress(claim.job, 2, spend=TOTAL)]
    for order in (writes, writes[::-1]):
        assert await store.commit(order) == frozenset()
    events, _ = await Traces(database).page(tenant, claim.job)
    assert [item.seq for item in events] == [0, 1]
    assert (await jobs.get(tenant, claim.job)).spend == TOTAL


async def test_the_end_is_stored_whole(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await store.commit([ending(claim.job, 1, 1)])
    record = await jobs.get(tenant, claim.job)
    assert (record.status, record.stop_reason, record.verdict) == (JobStatus.COMPLETED, StopReason.COMPLETE, VERDICT)
    assert record.started_at is not None
    assert record.ended_at is not None
    assert record.seconds == (record.ended_at - record.started_at).total_seconds()
    assert await scalar(database, "SELECT lease_owner IS NULL AND lease_expires_at IS NULL FROM jobs")
    (delivery,) = await Deliveries(database).claim_due(10, 60)
    assert await scalar(database, "SELECT key FROM outbox WHERE topic = 'webhook.due'") == delivery.id


async def test_the_webhooks_body(database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await store.commit([ending(claim.job, 1, 1)])
    record = await jobs.get(tenant, claim.job)
    (delivery,) = await Deliveries(database).claim_due(10, 60)
    body = json.loads(delivery.body)
    assert record.ended_at is not None
    assert body.pop("id").startswith("evt_")
    assert body == {
        "object": "event",
        "type": "job.completed",
        "created_at": int(record.ended_at.timestamp()),
        "data": {
            "id": claim.job,
            "status": "completed",
            "answer": "42",
            "confidence": 0.75,
            "confidence_kind": "agreement",
            "stop_reason": "complete",
            "metadata": {"a": "b"},
        },
    }


async def test_a_job_without_a_webhook_ends_without_a_delivery(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 60)
    await store.commit([ending(claim.job, 1, 1)])
    assert await Deliveries(database).claim_due(10, 60) == []


async def test_a_finish_sent_twice_is_one_end_and_not_lost(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    write = ending(claim.job, 1, 1)
    assert await store.commit([write]) == frozenset()
    first = await jobs.get(tenant, claim.job)
    assert await store.commit([write]) == frozenset()
    again = await jobs.get(tenant, claim.job)
    assert (again.ended_at, again.verdict) == (first.ended_at, first.verdict)
    assert await scalar(database, "SELECT count(*) FROM webhook_deliveries") == 1
    assert await scalar(database, "SELECT count(*) FROM events") == 2


async def test_after_the_end_nothing_is_written(
    jobs: Jobs, store: PostgresJobStore, database: Database, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await store.commit([ending(claim.job, 1, 1)])
    assert await store.commit([progress(claim.job, 1, first_seq=2)]) == {claim.job}
    assert await scalar(database, "SELECT count(*) FROM events") == 2
    assert (await store.renew("w", [(claim.job, 1)], 60)).held == frozenset()
    await store.release("w", [(claim.job, 1)])
    assert (await jobs.get(tenant, claim.job)).status is JobStatus.COMPLETED


async def test_a_zombies_end_is_lost(database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await expire_leases(database)
    await store.claim("heir", 1, 60)
    assert await store.commit([ending(claim.job, 1, 1)]) == {claim.job}
    await store.commit([ending(claim.job, 2, 1, StopReason.BUDGET_TOKENS)])
    assert await store.commit([ending(claim.job, 1, 1)]) == {claim.job}
    assert (await jobs.get(tenant, claim.job)).status is JobStatus.INCOMPLETE


def _with(finish: dict[str, Any], write: JobWrite) -> JobWrite:
    assert write.finish is not None
    return replace(write, finish=replace(write.finish, **finish))


BAD_WRITES: list[tuple[str, Callable[[str], JobWrite]]] = [
    ("an end that is none", lambda job: _with({"status": JobStatus.QUEUED}, ending(job, 1, 1))),
    ("ck_jobs_stop_reason", lambda job: _with({"status": JobStatus.CANCELLED}, ending(job, 1, 1))),
    ("ck_jobs_confidence", lambda job: _with({"verdict": replace(VERDICT, confidence=2.0)}, ending(job, 1, 1))),
    ("not a number", lambda job: _with({"verdict": replace(VERDICT, confidence=float("nan"))}, ending(job, 1, 1))),
    ("ck_calls_amounts", lambda job: replace(progress(job, 1), calls=(replace(call("k"), cost=Spend(flops=-1.0)),))),
    ("bigint", lambda job: progress(job, 1, spend=Spend(rollouts=2**64))),
    ("a lone surrogate as a key", lambda job: replace(progress(job, 1), calls=(call("\ud800"),))),
    ("no event", lambda job: replace(progress(job, 1), events=(cast(Event, object()),))),
]


@pytest.mark.parametrize("make_bad", [make for _, make in BAD_WRITES], ids=[name for name, _ in BAD_WRITES])
async def test_a_bad_write_ends_its_own_job_and_no_other(
    make_bad: Callable[[str], JobWrite],
    database: Database,
    jobs: Jobs,
    store: PostgresJobStore,
    tenant: TenantId,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, bad, last = await claimed(jobs, store, tenant, 3)
    lost = await store.commit([progress(first.job, 1), make_bad(bad.job), ending(last.job, 1, 1)])
    assert lost == {bad.job}
    assert (await jobs.get(tenant, first.job)).spend == COST
    assert (await jobs.get(tenant, last.job)).status is JobStatus.COMPLETED
    record = await jobs.get(tenant, bad.job)
    assert (record.status, record.stop_reason) == (JobStatus.FAILED, StopReason.INTERNAL_ERROR)
    assert record.error is not None
    events, _ = await Traces(database).page(tenant, bad.job)
    assert [item.seq for item in events] == [0, 1]
    assert sorted(due.job_id for due in await Deliveries(database).claim_due(9, 60)) == sorted([bad.job, last.job])
    assert "refused" in caplog.text


async def test_a_zombies_bad_write_ends_nothing(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    await expire_leases(database)
    await store.claim("heir", 1, 60)
    bad = progress(claim.job, 1, spend=Spend(rollouts=2**64))
    assert await store.commit([bad]) == {claim.job}
    assert (await jobs.get(tenant, claim.job)).status is JobStatus.IN_PROGRESS


async def test_a_broken_table_ends_no_job(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    claims = await claimed(jobs, store, tenant, 2)
    await run_sql(database, "ALTER TABLE calls ALTER COLUMN kind TYPE int USING 1")
    with pytest.raises(StatementRefused):
        await store.commit([progress(claim.job, 1) for claim in claims])
    assert (await jobs.counts())[JobStatus.IN_PROGRESS] == 2


async def test_whatever_a_model_writes_comes_back(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    (claim,) = await claimed(jobs, store, tenant)
    nasty = "\x00\x01\ud800 \\u0000 \"'\\ 数 🧮 \u2028" * 50
    events = (
        MoveSettled("k1", Sampled("sample-1", nasty, FinishReason.LENGTH, None, None, COST)),
        MoveSettled("k2", Failed("sample-2", FailureKind.ENGINE, nasty)),
    )
    await store.commit([replace(progress(claim.job, 1), events=events)])
    stored, _ = await Traces(database).page(tenant, claim.job)
    assert tuple(item.event for item in stored[1:]) == events
    last = ending(claim.job, 1, 3)
    assert last.finish is not None
    verdict = Verdict(nasty, 0.5, nasty, nasty)
    await store.commit([replace(last, finish=replace(last.finish, verdict=verdict))])
    assert (await jobs.get(tenant, claim.job)).verdict == verdict
    (delivery,) = await Deliveries(database).claim_due(1, 60)
    assert json.loads(delivery.body)["data"]["answer"] == nasty


async def test_group_commits_that_cross_do_not_deadlock(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    claims = await claimed(jobs, store, tenant, 30)
    forth = [progress(claim.job, 1, count=5) for claim in claims]
    held = [(claim.job, claim.fence) for claim in claims]
    for _ in range(5):
        lost_forth, lost_back, renewed = await asyncio.gather(
            store.commit(forth), store.commit(forth[::-1]), store.renew("w", held[::-1], 60)
        )
        assert lost_forth == lost_back == frozenset()
        assert len(renewed.held) == 30
