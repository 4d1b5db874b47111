"""A batch that is cancelled, expires, is paused, or ends by itself keeps what is finished and says so once."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from domain.batch import BatchStatus
from domain.verdict import StopReason
from tests.support.batch_bench import Bench, problems
from tests.support.jobs import ending, run_sql

pytestmark = pytest.mark.integration


async def test_cancel_keeps_what_is_finished_and_answers_the_rest(bench: Bench) -> None:
    await bench.create(problems(9))
    await bench.turns()
    await bench.finish_jobs(2)
    await bench.turns()
    (running,) = await bench.store.claim("w", 1, 30.0)
    batch = await bench.batches.cancel(bench.tenant, bench.id)
    assert batch.status is BatchStatus.CANCELLING
    assert (await bench.turns()).status is BatchStatus.CANCELLING  # one line still runs
    renewal = await bench.store.renew("w", [(running.job, running.fence)], 30.0)
    assert renewal.cancelled == {running.job}
    await bench.store.commit([ending(running.job, running.fence, 1, StopReason.CANCELLED)])
    batch = await bench.turns()
    assert batch.status is BatchStatus.CANCELLED
    assert (batch.completed, batch.failed, batch.written) == (2, 7, 9)
    assert {line["error"]["code"] for line in await bench.lines_of(batch.error_file)} == {"batch_cancelled"}
    again = await bench.batches.cancel(bench.tenant, bench.id)
    assert again.status is BatchStatus.CANCELLED


async def test_expiry_keeps_what_is_finished(bench: Bench) -> None:
    await bench.create(problems(6))
    await bench.turns()
    await bench.finish_jobs(3)
    await run_sql(bench.database, "UPDATE batches SET expires_at = now()")
    batch = await bench.turns()
    assert batch.status is BatchStatus.EXPIRED
    assert (batch.completed, batch.failed) == (3, 3)
    assert {line["error"]["code"] for line in await bench.lines_of(batch.error_file)} == {"batch_expired"}


async def test_a_paused_batch_starts_nothing_until_it_is_resumed(bench: Bench) -> None:
    await bench.create(problems(6))
    await bench.turns()
    await bench.batches.pause(bench.tenant, bench.id)
    await bench.finish_jobs()
    batch = await bench.turns()
    assert (batch.paused, batch.running, batch.completed, batch.waiting) == (True, 0, 4, 2)
    await bench.batches.resume(bench.tenant, bench.id)
    assert (await bench.to_end()).completed == 6


async def test_the_end_of_a_batch_is_announced_once_and_its_lines_are_not(bench: Bench) -> None:
    await run_sql(
        bench.database,
        "INSERT INTO webhook_endpoints (id, tenant_id, name, url, event_types, secret) VALUES ('we_1', :tenant, 'n',"
        " 'https://example.org', '{batch.completed,batch.failed}', 'whsec_x')",
        tenant=bench.tenant,
    )
    done = await bench.create(problems(3))
    await bench.to_end()
    bad = await bench.create(b"x")
    await bench.turns()
    async with bench.database.transaction() as connection:
        rows = (await connection.execute(text("SELECT event_type, body FROM webhook_deliveries ORDER BY id"))).all()
    told = [(row.event_type, json.loads(bytes(row.body))["data"]) for row in rows]
    assert told == [("batch.completed", {"id": done.id}), ("batch.failed", {"id": bad.id})]
