"""A user of the running service, for acceptance tests: submits, waits, reads traces, all over HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx

from cli.stack.background import BackgroundStack

FINAL = {"completed", "incomplete", "failed", "cancelled"}


class User:
    """Talks to one stack; survives its API being restarted in between."""

    def __init__(self, stack: BackgroundStack) -> None:
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        self._client = httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=70.0, trust_env=False)

    async def __aenter__(self) -> User:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def submit(self, problem: str = "What is 3 + 4 * 2?", **request: Any) -> dict[str, Any]:
        answer = await self._client.post("/v1/reasoning/jobs", json={"problem": problem, **request})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def submit_many(self, count: int, **request: Any) -> list[str]:
        jobs = [self.submit(f"What is {index} + 4 * 2?", seed=index, **request) for index in range(count)]
        return [job["id"] for job in await asyncio.gather(*jobs)]

    async def get(self, job: str, wait_s: int = 0) -> dict[str, Any]:
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        answer = await self._client.get(f"/v1/reasoning/jobs/{job}", headers=headers)
        answer.raise_for_status()
        return dict(answer.json())

    async def ended(self, job: str, within_s: float = 60.0) -> dict[str, Any]:
        """The job at its end; an API that is away for a moment is asked again."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    state = await self.get(job, wait_s=20)
                except httpx.HTTPError:
                    await asyncio.sleep(0.2)
                    continue
                if state["status"] in FINAL:
                    return state

    async def all_ended(self, jobs: list[str], within_s: float = 90.0) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(self.ended(job, within_s) for job in jobs)))

    async def cancel(self, job: str) -> dict[str, Any]:
        answer = await self._client.post(f"/v1/reasoning/jobs/{job}/cancel")
        answer.raise_for_status()
        return dict(answer.json())

    async def trace(self, job: str) -> list[dict[str, Any]]:
        """All events, page by page."""
        events: list[dict[str, Any]] = []
        while True:
            after = events[-1]["seq"] if events else -1
            answer = await self._client.get(f"/v1/reasoning/jobs/{job}/trace", params={"after": after, "limit": 50})
            answer.raise_for_status()
            page = answer.json()
            events += page["data"]
            if not page["has_more"]:
                return events

    async def statuses(self, jobs: list[str]) -> Counter[str]:
        return Counter([(await self.get(job))["status"] for job in jobs])


def settled(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == "move_settled"]


def check_accounts(job: dict[str, Any], events: list[dict[str, Any]], rollouts: int) -> None:
    """The trace has no gap, no call counts twice, and the usage is the sum of what the trace says."""
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "job_submitted"
    assert events[-1]["type"] == "job_stopped"
    keys = [event["call_key"] for event in settled(events)]
    assert len(keys) == len(set(keys)), "a call was counted twice"
    costs = [event["outcome"]["cost"] for event in settled(events)]
    for unit in ("generated_tokens", "verified_tokens", "rollouts", "verifier_calls"):
        assert job["usage"][unit] == sum(cost[unit] for cost in costs), unit
    assert job["usage"]["rollouts"] == rollouts
