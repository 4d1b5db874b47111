"""The whole path as its user sees it: HTTP, Postgres, Celery, orchestrator, Ray actors, trace, poll and webhook."""

import asyncio
import json

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from cli.stack.background import BackgroundStack
from domain.codec import decode_event
from search.replay import fold
from tests.support.receiver import Receiver
from tests.support.service import User, check_accounts, settled

pytestmark = pytest.mark.integration


async def test_from_submit_to_a_verified_webhook(stack: BackgroundStack, receiver: Receiver) -> None:
    async with User(stack) as user:
        created = await user.submit(
            strategy={"name": "best_of_n", "n": 12}, seed=5, metadata={"who": "me"}, webhook_url=receiver.url
        )
        job = await user.ended(created["id"])
        events = await user.trace(created["id"])
    assert (job["status"], job["stop_reason"]) == ("completed", "complete")
    assert job["answer"] is not None
    assert job["solution"].count("\n\n") >= 1
    assert f"\\boxed{{{job['answer']}}}" in job["solution"]
    assert 0 < job["confidence"] < 1
    assert job["usage"]["verifier_calls"] > 0
    check_accounts(job, events, rollouts=12)
    (delivery,) = await receiver.count(1)
    verified = Webhook(stack.webhook_secret).verify(delivery.body, delivery.headers)
    assert verified["type"] == "job.completed"
    assert verified["data"]["id"] == job["id"]
    assert (verified["data"]["answer"], verified["data"]["metadata"]) == (job["answer"], {"who": "me"})
    tampered = json.dumps(verified | {"type": "job.failed"})
    with pytest.raises(Exception, match=r"(?i)signature"):
        Webhook(stack.webhook_secret).verify(tampered, delivery.headers)


async def test_a_trace_replays_to_the_same_verdict(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        created = await user.submit(strategy={"name": "self_consistency", "n": 8}, seed=9)
        job = await user.ended(created["id"])
        events = await user.trace(created["id"])
    stored = [decode_event({name: value for name, value in one.items() if name not in ("seq", "at")}) for one in events]
    verdict = fold(stored).verdict()
    assert (verdict.answer, verdict.confidence) == (job["answer"], pytest.approx(job["confidence"]))


async def test_the_same_seed_gives_the_same_search(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        first, second = [(await user.submit(strategy="self_consistency", seed=77))["id"] for _ in range(2)]
        one, other = await user.all_ended([first, second])
        texts = [
            sorted(event["outcome"]["text"] for event in settled(await user.trace(job))) for job in (first, second)
        ]
    assert one["answer"] == other["answer"]
    assert texts[0] == texts[1]


async def test_a_budget_ends_a_job_as_incomplete_with_its_best_answer(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        created = await user.submit(strategy={"name": "self_consistency", "n": 64}, budget={"rollouts": 5})
        job = await user.ended(created["id"])
    assert (job["status"], job["stop_reason"]) == ("incomplete", "budget_rollouts")
    assert job["usage"]["rollouts"] == 5
    assert job["answer"] is not None


async def test_a_confidence_ends_a_job_early(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        request = {"strategy": {"name": "self_consistency", "n": 200}, "confidence": 0.5}
        job = await user.ended((await user.submit(**request))["id"])
    assert (job["status"], job["stop_reason"]) == ("completed", "confidence")
    assert job["confidence"] >= 0.5
    assert job["usage"]["rollouts"] < 100


async def test_cancel_ends_a_running_job_soon(stack: BackgroundStack) -> None:
    async with User(stack) as user:
        created = await user.submit(strategy={"name": "self_consistency", "n": 4096})
        while (await user.get(created["id"]))["status"] == "queued":
            await asyncio.sleep(0.02)
        await user.cancel(created["id"])
        job = await user.ended(created["id"], within_s=10)
        assert (job["status"], job["stop_reason"]) == ("cancelled", "cancelled")
        assert job["usage"]["rollouts"] < 4096
        again = await user.cancel(created["id"])
    assert again["status"] == "cancelled"


async def test_readiness_names_all_parts(stack: BackgroundStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        ready = (await client.get("/readyz")).json()
        metrics = (await client.get("/metrics")).text
    assert set(ready["checks"].values()) == {"ok"}
    assert "deliberate_" in metrics
