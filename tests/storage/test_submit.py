"""One transaction: job, event 0, outbox row, idempotency key. However often it is submitted, it is one job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.budget import Budget
from domain.errors import IdempotencyConflict, InvalidRequest
from domain.events import JobSubmitted
from domain.ids import TenantId
from domain.job import JobStatus
from domain.problem import text_problem
from domain.specs.parallel import SelfConsistency
from storage.database import Database
from storage.failures import StatementRefused
from storage.idempotency import purge_keys
from storage.jobs import Jobs
from storage.keys import Keys
from storage.submission import submit_many, submit_row
from storage.traces import Traces
from tests.support.jobs import keyed, new_job, run_sql, scalar

pytestmark = pytest.mark.integration


async def test_what_was_submitted_comes_back(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job = new_job(
        tenant,
        strategy=SelfConsistency(n=3, temperature=0.1),
        budget=Budget(tokens=10**9, flops=1e24, rollouts=1, seconds=0.5),
        confidence=1.0,
        seed=2**63 - 1,
        priority=-100,
        metadata=(("z", "1"), ("a", "2")),
        webhook_url="https://example.org/hook",
    )
    record, replay = await jobs.submit(job)
    assert not replay
    assert (record.id, record.tenant, record.status) == (job.id, tenant, JobStatus.QUEUED)
    assert (record.problem, record.strategy, record.budget) == (job.problem, job.strategy, job.budget)
    assert (record.confidence_target, record.seed, record.priority) == (1.0, 2**63 - 1, -100)
    assert list(record.metadata.items()) == [("z", "1"), ("a", "2")]
    assert record.webhook_url == "https://example.org/hook"
    assert (record.seconds, record.fence, record.verdict, record.ended_at) == (0.0, 0, None, None)
    assert 0 <= record.queue_seconds < 60


async def test_event_0_and_the_doorbell_are_stored_with_it(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job = new_job(tenant)
    await jobs.submit(job)
    (stored,), more = await Traces(database).page(tenant, job.id)
    assert stored.event == JobSubmitted(job.problem, job.strategy, job.budget, job.confidence, job.seed)
    assert (stored.seq, more) == (0, False)
    assert await scalar(database, "SELECT topic || ' ' || key FROM outbox") == f"job.queued {job.id}"


@pytest.mark.parametrize("text", ["a\x00b", "lone \ud800", "x" * 100_000, "数学 ∑ 🧮 \\u0000 'quotes' %s :bind"])
async def test_any_text_comes_back_as_it_was(text: str, database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job = new_job(tenant, problem=text_problem(text), metadata=(("key", text[:50]),))
    await jobs.submit(job)
    record = await jobs.get(tenant, job.id)
    assert record.problem.text == text
    assert record.metadata == {"key": text[:50]}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"seed": 2**63}, "seed"),
        ({"seed": -1}, "seed"),
        ({"priority": 101}, "priority"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"webhook_url": "http://x/\x00"}, "webhook_url"),
        ({"webhook_url": "http://x/" + "y" * 3000}, "webhook_url"),
        ({"attempt": keyed(TenantId("ten_0"), "\ud800")}, "Idempotency-Key"),
        ({"attempt": keyed(TenantId("ten_0"), "k" * 256)}, "Idempotency-Key"),
    ],
)
async def test_what_no_column_holds_is_the_callers_mistake(
    changes: dict[str, Any], param: str, database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await jobs.submit(new_job(tenant, **changes))
    assert caught.value.param == param
    assert await scalar(database, "SELECT count(*) FROM jobs") == 0


async def test_a_job_of_no_tenant_leaves_nothing(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    with pytest.raises(StatementRefused, match="fk_jobs_tenant_id"):
        await jobs.submit(new_job(TenantId("ten_0")))
    for table in ("jobs", "events", "outbox"):
        assert await scalar(database, f"SELECT count(*) FROM {table}") == 0


async def test_the_same_job_again_is_no_second_job(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    """As after a commit that succeeded and yet reported an error."""
    job = new_job(tenant)
    first, _ = await jobs.submit(job)
    again, replay = await jobs.submit(job)
    assert (again.id, replay, again.created_at) == (first.id, True, first.created_at)
    assert await scalar(database, "SELECT count(*) FROM events") == 1
    assert await scalar(database, "SELECT count(*) FROM outbox") == 1


async def test_the_same_key_and_request_replays_the_first_job(jobs: Jobs, tenant: TenantId) -> None:
    first, _ = await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "h")))
    again, replay = await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "h")))
    assert (again.id, replay) == (first.id, True)


async def test_the_same_key_with_another_request_is_a_conflict(
    database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "h")))
    with pytest.raises(IdempotencyConflict):
        await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "other")))
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1


async def test_keys_of_two_tenants_do_not_meet(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    other = await Keys(database).ensure_tenant("other")
    mine, _ = await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "h")))
    theirs, replay = await jobs.submit(new_job(other, attempt=keyed(other, "k", "else")))
    assert not replay
    assert theirs.id != mine.id


async def test_a_race_for_a_key_makes_one_job(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    racers = [new_job(tenant, attempt=keyed(tenant, "k", "h")) for _ in range(16)]
    results = await asyncio.gather(*map(jobs.submit, racers))
    assert len({record.id for record, _ in results}) == 1
    assert sorted(replay for _, replay in results) == [False] + [True] * 15
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1
    assert await scalar(database, "SELECT count(*) FROM outbox") == 1


async def test_an_expired_key_is_free_again(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    first, _ = await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "h")))
    await run_sql(database, "UPDATE idempotency_keys SET expires_at = now() - interval '1 s'")
    second, replay = await jobs.submit(new_job(tenant, attempt=keyed(tenant, "k", "other")))
    assert not replay
    assert second.id != first.id
    hours = "SELECT extract(epoch FROM expires_at - now()) / 3600 FROM idempotency_keys"
    assert 23.9 < await scalar(database, hours) <= 24


async def test_the_purge_deletes_expired_keys_only(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    for key in ("old", "new"):
        await jobs.submit(new_job(tenant, attempt=keyed(tenant, key, "h")))
    await run_sql(database, "UPDATE idempotency_keys SET expires_at = now() - interval '1 s' WHERE key = 'old'")
    assert await purge_keys(database) == 1
    assert await scalar(database, "SELECT string_agg(key, ',') FROM idempotency_keys") == "new"
    assert await scalar(database, "SELECT count(*) FROM jobs") == 2


ODD = {
    "problem": text_problem("a\x00b \ud800 数学 'quotes' \"double\" %s :bind \\u0000"),
    "metadata": (("k", 'v"\\'), ("z", "数")),
    "webhook_url": "https://example.org/hook?a=%41",
    "webhook_events": ("job.completed", "job.failed"),
    "labels": ("a,b", '"quoted"', "{}"),
    "deadline_unix_s": 4_000_000_000.25,
    "budget": Budget(tokens=2**40, flops=1e300, rollouts=3, seconds=0.5),
    "seed": 2**63 - 1,
    "confidence": 0.25,
    "priority": -7,
}


@pytest.mark.parametrize("changes", [{}, ODD])
async def test_a_job_is_the_same_however_it_is_submitted(
    changes: dict[str, Any], database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    plain, careful, many = (new_job(tenant, **changes) for _ in range(3))
    told, _ = await jobs.submit(plain)
    async with database.transaction() as connection:
        assert (await submit_row(connection, careful))[0] == careful.id
        await submit_many(connection, [new_job(tenant), many, new_job(tenant, **changes)])
    found = [await jobs.get(tenant, job.id) for job in (plain, careful, many)]
    own = {"id": plain.id, "seed": plain.seed, "created_at": told.created_at, "read_at": told.read_at}
    assert [replace(record, **own, queue_position=0) for record in found] == 3 * [replace(told, queue_position=0)]
    events = [(await Traces(database).page(tenant, job.id))[0][0].event for job in (plain, careful, many)]
    assert [replace(event, seed=1) for event in events] == 3 * [replace(events[0], seed=1)]


async def test_a_submission_tells_its_place_in_the_queue(jobs: Jobs, tenant: TenantId) -> None:
    places = [(await jobs.submit(new_job(tenant, priority=priority)))[0].queue_position for priority in (0, 0, 5, 0)]
    assert places == [0, 1, 0, 3]
    position = (await jobs.get(tenant, (await jobs.submit(new_job(tenant)))[0].id)).queue_position
    assert position == 4
