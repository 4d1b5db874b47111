"""The native client against the real API, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from client import AsyncDeliberate, InvalidRequestError, NotFoundError
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.api.conftest import KEY
from tests.support.jobs import ending

pytestmark = pytest.mark.integration


@pytest.fixture
async def deliberate(app: FastAPI) -> AsyncIterator[AsyncDeliberate]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    async with AsyncDeliberate("http://test", KEY, http=http) as one:
        yield one


async def test_a_job_from_its_submission_to_its_trace(
    deliberate: AsyncDeliberate, database: Database, tmp_path: Path
) -> None:
    job = await deliberate.jobs.create("17 * 23", labels=["math"], deadline_seconds=600, idempotency_key="k")
    again = await deliberate.jobs.create("17 * 23", labels=["math"], deadline_seconds=600, idempotency_key="k")
    assert (job.id, job.status, job.queue_position) == (again.id, "queued", 0)
    (claim,) = await PostgresJobStore(database).claim("worker", 1, 30)
    await PostgresJobStore(database).commit([ending(job.id, claim.fence, 1)])
    ended = await deliberate.jobs.wait(job.id, timeout_s=5)
    assert (ended.answer, ended.candidates[0].votes, ended.usage.rollouts) == ("42", 3, 1)
    assert [one.id for one in await deliberate.jobs.list(labels=["math"])] == [job.id]
    assert [one.id async for one in deliberate.jobs.all(status=["completed"])] == [job.id]
    assert [event.type async for event in deliberate.jobs.events(job.id)] == ["job.queued", "job.stopped"]
    assert [event.type async for event in deliberate.jobs.trace(job.id)] == ["job_submitted", "job_stopped"]
    await deliberate.jobs.download_trace(job.id, tmp_path / "trace.jsonl")
    assert len((tmp_path / "trace.jsonl").read_text().splitlines()) == 2
    assert (await deliberate.jobs.cancel(job.id)).status == "completed"


async def test_endpoints_and_their_log(deliberate: AsyncDeliberate) -> None:
    endpoint = await deliberate.webhooks.create("hook", "https://example.com/hook", ["job.cancelled"])
    assert (endpoint.signing_secret or "").startswith("whsec_")
    assert (await deliberate.webhooks.get(endpoint.id)).signing_secret is None
    rotated = await deliberate.webhooks.rotate_secret(endpoint.id, keep_old=True)
    assert rotated.signing_secret != endpoint.signing_secret
    before = await deliberate.webhooks.own_secret()
    assert await deliberate.webhooks.rotate_own_secret(keep_old=True) != before
    job = await deliberate.jobs.create("1 + 1")
    await deliberate.jobs.cancel(job.id)
    (delivery,) = await deliberate.webhooks.deliveries(endpoint.id)
    assert (delivery.job_id, delivery.event_type, delivery.status) == (job.id, "job.cancelled", "pending")
    assert (await deliberate.webhooks.delivery(delivery.id)).raw["attempt_log"] == []
    assert [one.id for one in await deliberate.jobs.deliveries(job.id)] == [delivery.id]
    await deliberate.webhooks.replay(delivery.id)
    assert not (await deliberate.webhooks.update(endpoint.id, enabled=False)).enabled
    assert len((await deliberate.webhooks.list()).data) == 1
    await deliberate.webhooks.delete(endpoint.id)
    with pytest.raises(NotFoundError):
        await deliberate.webhooks.get(endpoint.id)
    with pytest.raises(InvalidRequestError) as refused:
        await deliberate.jobs.create("1 + 1", effort="heroic")
    assert refused.value.param == "effort"
