"""Canaries: prompts, answers, keys and signing secrets pass through every process of the stack, and are in no log."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import httpx
import pytest

from cli.stack.background import BackgroundStack
from messaging.redis_url import connect
from tests.support.canaries import files_with, ray_folder, redis_keys_with
from tests.support.receiver import Receiver

pytestmark = pytest.mark.integration

JOBS, RESPONSES, CHAT, ENDPOINTS = (
    "/v1/reasoning/jobs",
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/webhook_endpoints",
)
ENDED = {"completed", "incomplete", "failed", "cancelled"}


async def test_no_prompt_and_no_secret_is_in_a_log(stack: BackgroundStack, receiver: Receiver) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    admin = httpx.AsyncClient(base_url=stack.url, headers=bearer(stack.api_key), timeout=60, trust_env=False)
    async with admin:
        made = (await admin.post("/v1/admin/keys", json={"label": "canary"})).json()
        rotated = (await admin.post(f"/v1/admin/keys/{made['id']}/rotate", json={})).json()
        admin.headers.update(bearer(rotated["token"]))
        signing = await webhooks(admin, receiver, canary)
        job = await prompts(admin, receiver, canary)
        await batch(admin, canary)
        await refusals(admin, canary)
        await receiver.count(3)
        tenants = (await admin.get("/v1/webhook-secret")).json()["secret"]
    tokens = [token.rsplit("_", 1)[-1] for token in (stack.api_key, made["token"], rotated["token"])]
    redis = connect(stack.env["DELIBERATE_REDIS_URL"])
    logs, engines = stack.settings.home / "logs", ray_folder(stack)
    for needle in (canary, tenants, *signing, *tokens):
        assert await redis_keys_with(redis, needle) == []
        assert files_with(logs, needle) == []
        assert files_with(engines, needle) == []
    for needle in (canary, *signing, *tokens[1:]):
        # Files of its owner's alone hold the home's own key and secret.
        assert files_with(stack.settings.home, needle) == []
    await redis.aclose()
    assert files_with(logs, job), "the logs are there, and name the job"
    assert {"api.log", "control.log", "orchestrator.log", "postgres.log"} <= {path.name for path in logs.iterdir()}
    assert files_with(engines, "deliberate"), "the engines' logs are there"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def webhooks(client: httpx.AsyncClient, receiver: Receiver, canary: str) -> list[str]:
    """An endpoint that fails and says so in words; every secret that it has had."""
    receiver.answer = b"HTTP/1.1 500 X\r\ncontent-length: 22\r\n\r\n" + canary.encode()
    body = {"name": canary, "url": f"{receiver.url}&{canary}", "event_types": ["job.completed"]}
    made = (await client.post(ENDPOINTS, json=body)).json()
    rotation = {"keep_old_secret_active_for_24_hours": True}
    rotated = (await client.post(f"{ENDPOINTS}/{made['id']}/rotate_secret", json=rotation)).json()
    await client.post(f"{ENDPOINTS}/{made['id']}/test", json={"event_type": "job.completed"})
    return [made["signing_secret"], rotated["signing_secret"]]


async def prompts(client: httpx.AsyncClient, receiver: Receiver, canary: str) -> str:
    """The same word by each way of asking; the id of a job that has ended."""
    question = f"What is 3 + 4 * 2? {canary}"
    own = {"metadata": {"note": canary}, "webhook_url": f"{receiver.url}&{canary}", "effort": "minimal"}
    job = (await client.post(JOBS, json={"problem": question, **own}, headers={"Idempotency-Key": canary})).json()["id"]
    asked = {"model": "deliberate-minimal", "input": question, "instructions": canary, "user": canary}
    response = (await client.post(RESPONSES, json=asked | {"stream": True})).text
    assert "response.completed" in response
    messages = [{"role": "system", "content": canary}, {"role": "user", "content": question}]
    (await client.post(CHAT, json={"model": "deliberate-minimal", "messages": messages})).raise_for_status()
    await until_ended(client, f"{JOBS}/{job}")
    await client.get(f"{JOBS}/{job}/trace.jsonl", params={"note": canary})
    return str(job)


async def batch(client: httpx.AsyncClient, canary: str) -> None:
    """A good line and a bad one."""
    lines = [json.dumps({"id": canary, "problem": f"1 + 1 {canary}", "effort": "none"}), f'{{"{canary}": ']
    files = {"file": (f"{canary}.jsonl", "\n".join(lines).encode())}
    file = (await client.post("/v1/files", data={"purpose": "batch"}, files=files)).json()["id"]
    made = (await client.post("/v1/reasoning/batches", json={"input_file_id": file})).json()["id"]
    await until_ended(client, f"/v1/reasoning/batches/{made}")


async def refusals(client: httpx.AsyncClient, canary: str) -> None:
    """What is wrong is not repeated in a log either: a key, a path, a query, a body, a header."""
    job: dict[str, Any] = {"problem": canary, "strategy": canary}
    endpoint = {"name": canary, "url": f"http://10.0.0.1/{canary}", "event_types": [canary]}
    for status, request in (
        (401, client.get(JOBS, headers=bearer(f"dlb_{canary}_{canary}"))),
        (404, client.get(f"/v1/{canary}")),
        (404, client.get(f"{JOBS}/{canary}")),
        (422, client.get(JOBS, params={"after": canary})),
        (422, client.post(JOBS, json=job)),
        (400, client.post(JOBS, content=canary.encode(), headers={"Content-Type": "application/json"})),
        (422, client.post(JOBS, json={"problem": "1"}, headers={"Idempotency-Key": canary + '"'})),
        (400, client.post(RESPONSES, json={"input": canary, "tools": [{"type": canary}]})),
        (404, client.post(RESPONSES, json={"input": "1", "model": f"deliberate-{canary}"})),
        (400, client.post(ENDPOINTS, json=endpoint)),
    ):
        answer = await request
        assert answer.status_code == status, answer.text


async def until_ended(client: httpx.AsyncClient, address: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(address)).json()["status"] not in ENDED:
            await asyncio.sleep(0.1)
