"""A small tenant beside one that sends a hundred times as much: how much longer does it wait than alone?

    python -m evaluation.fairness [--quick]

A whole stack with scripted models whose calls take a fixed time, and engines that take few calls at once, so that the
engines are what is scarce. The small tenant sends jobs at a steady pace, first alone, then while the big tenant's
hundredfold waits in the queue. All times are the database's: `queue` is from submission to the first claim, `answer`
from submission to the end. `p95_ratio` is loaded ÷ alone of the time to the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from evaluation.report import Ticker, finish, say
from evaluation.stack import RunningStack, running_stack

RATIO = 100
LIMIT = 3.0
SENDERS = 16
JOBS_URL = "/v1/reasoning/jobs"


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement."""

    small_jobs: int
    every_s: float
    """Pause between two jobs of the small tenant."""
    rollouts: int = 8
    delay_ms: int = 200
    """Of one call."""
    calls: int = 32
    """That the engine takes at once."""
    max_jobs: int = 64

    def settings(self) -> dict[str, str]:
        return {
            "DELIBERATE_POLICY": f"scripted:delay_ms={self.delay_ms}",
            "DELIBERATE_VERIFIER": "none",
            "DELIBERATE_POLICY_REPLICAS": "1",
            "DELIBERATE_CALLS_PER_ENGINE": str(self.calls),
            "DELIBERATE_MAX_JOBS": str(self.max_jobs),
        }


QUICK = Plan(small_jobs=10, every_s=0.4)
FULL = Plan(small_jobs=120, every_s=0.5)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each job."""

    queue: tuple[float, ...]
    answer: tuple[float, ...]


async def measure(stack: RunningStack, plan: Plan) -> dict[str, Any]:
    async with stack.client() as operator:
        clients = {name: _client(stack, await _key(operator, name)) for name in ("small", "big")}
        try:
            await _times(clients["small"], Plan(3, 0.1, plan.rollouts))
            say("the small tenant alone")
            alone = await _times(clients["small"], plan)
            say(f"the big tenant sends {RATIO * plan.small_jobs:,} jobs")
            await _flood(clients["big"], plan)
            say("the small tenant beside it")
            loaded = await _times(clients["small"], plan)
            left = await _waiting(clients["big"])
        finally:
            for client in clients.values():
                await client.aclose()
    return summary(plan, alone, loaded, left)


async def _key(operator: httpx.AsyncClient, tenant: str) -> str:
    (await operator.post("/v1/admin/tenants", json={"name": tenant})).raise_for_status()
    made = await operator.post("/v1/admin/keys", json={"tenant": tenant, "label": "fairness"})
    return str(made.raise_for_status().json()["token"])


def _client(stack: RunningStack, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=100)
    return httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=90.0, limits=limits, trust_env=False)


def _body(plan: Plan, seed: int) -> dict[str, Any]:
    strategy = {"name": "self_consistency", "n": plan.rollouts, "max_tokens": 256}
    return {"problem": f"What is {seed} + 4 * 2?", "strategy": strategy, "seed": seed}


async def _times(client: httpx.AsyncClient, plan: Plan) -> Times:
    """Jobs at a steady pace, whatever becomes of the ones before."""
    started, jobs = time.monotonic(), []
    ticker = Ticker("jobs of the small tenant", plan.small_jobs)

    async def one(number: int) -> dict[str, Any]:
        await asyncio.sleep(max(0.0, started + number * plan.every_s - time.monotonic()))
        job = (await client.post(JOBS_URL, json=_body(plan, number))).raise_for_status().json()
        while job["ended_at"] is None:
            job = (await client.get(f"{JOBS_URL}/{job['id']}", headers={"Prefer": "wait=60"})).raise_for_status().json()
        ticker.tick()
        return dict(job)

    jobs = await asyncio.gather(*map(one, range(plan.small_jobs)))
    wrong = [job["status"] for job in jobs if job["status"] != "completed"]
    if wrong:
        raise SystemExit(f"{len(wrong)} jobs of the small tenant did not complete")
    queue = tuple(float(job["usage"]["queue_seconds"]) for job in jobs)
    return Times(queue, tuple(job["ended_at"] - job["created_at"] for job in jobs))


async def _flood(client: httpx.AsyncClient, plan: Plan) -> None:
    total = RATIO * plan.small_jobs
    numbers, ticker = iter(range(total)), Ticker("jobs of the big tenant", total)

    async def sender() -> None:
        for number in numbers:
            (await client.post(JOBS_URL, json=_body(plan, number))).raise_for_status()
            ticker.tick()

    await asyncio.gather(*(sender() for _ in range(SENDERS)))


async def _waiting(client: httpx.AsyncClient) -> bool:
    """Whether the big tenant still has a queue: else the small one had the engines to itself."""
    page = (await client.get(JOBS_URL, params={"status": "queued", "limit": 1})).raise_for_status().json()
    return bool(page["data"])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(plan: Plan, alone: Times, loaded: Times, left: bool) -> dict[str, Any]:
    shown = {
        f"{name}_{kind}_p{share}_s": round(percentile(getattr(times, kind), share / 100), 3)
        for name, times in (("alone", alone), ("loaded", loaded))
        for kind in ("queue", "answer")
        for share in (50, 95)
    }
    ratio = shown["loaded_answer_p95_s"] / shown["alone_answer_p95_s"]
    return {
        "p95_ratio": round(ratio, 2),
        "within_limit": ratio <= LIMIT and left,
        "limit": LIMIT,
        "load_ratio": RATIO,
        **shown,
        "queue_p95_ratio": round(shown["loaded_queue_p95_s"] / max(0.001, shown["alone_queue_p95_s"]), 2),
        "small_jobs": plan.small_jobs,
        "big_jobs": RATIO * plan.small_jobs,
        "big_still_waiting_at_the_end": left,
    }


def table(result: Mapping[str, Any]) -> str:
    rows: Sequence[tuple[str, str]] = (("submission to first claim", "queue"), ("submission to answer", "answer"))
    return "\n".join(
        [
            f"{result['small_jobs']} jobs of a small tenant, alone and beside {result['big_jobs']:,} of a big one"
            f" ({result['load_ratio']}:1; its queue was{'' if result['big_still_waiting_at_the_end'] else ' NOT'} full"
            " until the end).",
            "",
            "| seconds | alone p50 | alone p95 | loaded p50 | loaded p95 |",
            "|---|---|---|---|---|",
            *(
                f"| {label} | "
                + " | ".join(
                    f"{result[f'{name}_{kind}_p{share}_s']}" for name in ("alone", "loaded") for share in (50, 95)
                )
                + " |"
                for label, kind in rows
            ),
            "",
            f"**p95 to the answer: {result['p95_ratio']} × its time alone** (limit {result['limit']:g}).",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer jobs, nothing written to docs/results")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    with running_stack(plan.settings()) as stack:
        result = asyncio.run(measure(stack, plan))
    finish("fairness", "python -m evaluation.fairness", result, table(result), full=not arguments.quick)


if __name__ == "__main__":
    main()
