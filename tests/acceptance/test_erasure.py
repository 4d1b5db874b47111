"""Canaries: after its erasure no word of a job is in a table, in Redis, in a file or in a log; secrets never were."""

from __future__ import annotations

import asyncio
import secrets

import httpx
import pytest

from cli.stack.background import BackgroundStack
from messaging.redis_url import connect
from storage.database import Database
from tests.support.canaries import files_with, redis_keys_with
from tests.support.receiver import Receiver
from tests.support.service import User
from tests.support.tables import tables_with

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"


async def test_an_erased_job_leaves_no_word_anywhere(stack: BackgroundStack, receiver: Receiver) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    database = Database.open(stack.env["DELIBERATE_DATABASE_URL"], pool_size=1)
    redis = connect(stack.env["DELIBERATE_REDIS_URL"])
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with User(stack) as user, httpx.AsyncClient(base_url=stack.url, headers=headers, trust_env=False) as client:
        made = (await client.post("/v1/admin/keys", json={"label": "canary"})).json()
        assert {"api_keys", "audit_log"} < set(await tables_with(database, made["id"]))
        body = {
            "problem": f"What is 3 + 4 * 2? {canary}",
            "metadata": {"note": canary},
            "webhook_url": f"{receiver.url}?{canary}",
            "strategy": {"name": "best_of_n", "n": 4},
        }
        key = {"Idempotency-Key": canary, "Authorization": f"Bearer {made['token']}"}
        ended = (await client.post(JOBS, json=body, headers=key)).json()["id"]
        await user.ended(ended)
        await receiver.count(1)
        slow = {"name": "self_consistency", "n": 2000}
        running = (await client.post(JOBS, json=body | {"strategy": slow})).json()["id"]
        while (await user.get(running))["status"] == "queued":
            await asyncio.sleep(0.02)
        assert {"events", "jobs", "webhook_deliveries"} < set(await tables_with(database, canary)), "the search works"
        for job in (ended, running):
            deleted = await client.delete(f"{JOBS}/{job}")
            assert deleted.json() == {"id": job, "object": "reasoning.job.deleted", "deleted": True}
            assert (await client.get(f"{JOBS}/{job}")).status_code == 404
        async with asyncio.timeout(20):
            while await tables_with(database, canary):
                await asyncio.sleep(0.2)
    secret = made["token"].split("_")[2]
    for needle in (canary, secret):
        assert await tables_with(database, needle) == []
        assert await redis_keys_with(redis, needle) == []
        assert files_with(stack.settings.home, needle) == []
    assert files_with(stack.settings.home, running), "the logs are there, and name the job"
    await redis.aclose()
    await database.close()
