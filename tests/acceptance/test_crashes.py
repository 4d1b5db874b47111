"""Processes are killed and Redis is emptied in the middle of work: every job ends, and no rollout counts twice."""

import asyncio
import os
import signal
from collections.abc import Iterator

import psutil
import pytest
import redis

from cli.stack.background import BackgroundStack
from tests.support.service import User, check_accounts
from tests.support.stack import running_stack

pytestmark = pytest.mark.integration

JOBS, ROLLOUTS = 20, 100
SLOW = "scripted:accuracy=0.7,tokens=40,delay_ms=500"
"""100 rollouts and their scores in windows of 32: each job takes about four seconds, however fast the machine is."""


@pytest.fixture(scope="module")
def slow_stack() -> Iterator[BackgroundStack]:
    with running_stack(policy=SLOW, verifier="scripted:delay_ms=200", lease_s=3.0) as stack:
        yield stack


REQUEST = {"strategy": {"name": "best_of_n", "n": ROLLOUTS, "selection": "weighted"}}


async def running_jobs(user: User) -> list[str]:
    """Twenty jobs in the middle of their searches: each has settled something, and none has ended."""
    jobs = await user.submit_many(JOBS, **REQUEST)
    async with asyncio.timeout(30):
        while True:
            states = [await user.get(job) for job in jobs]
            if all(state["status"] == "in_progress" for state in states):
                break
            assert not any(state["status"] == "completed" for state in states), "too fast for this test"
            await asyncio.sleep(0.02)
    await asyncio.sleep(1.0)
    return jobs


async def check_all(user: User, jobs: list[str], claims: int) -> None:
    for job in await user.all_ended(jobs):
        assert (job["status"], job["stop_reason"]) == ("completed", "complete")
        events = await user.trace(job["id"])
        check_accounts(job, events, ROLLOUTS)
        assert sum(event["type"] == "job_claimed" for event in events) == claims


async def test_kill_9_of_the_orchestrator_loses_and_doubles_nothing(slow_stack: BackgroundStack) -> None:
    async with User(slow_stack) as user:
        jobs = await running_jobs(user)
        before = slow_stack.restarts("orchestrator")
        slow_stack.kill("orchestrator")
        assert (await user.statuses(jobs))["completed"] < JOBS, "killed in the middle"
        await asyncio.to_thread(slow_stack.wait_restarted, "orchestrator", before)
        await check_all(user, jobs, claims=2)


async def test_flushall_in_the_middle_of_queued_jobs(slow_stack: BackgroundStack) -> None:
    """Jobs are stored and their bells in Redis are lost before anybody heard them."""
    client = redis.Redis.from_url(slow_stack.env["DELIBERATE_REDIS_URL"])
    os.kill(pid := slow_stack.pid("orchestrator") or 0, signal.SIGSTOP)
    try:
        async with User(slow_stack) as user:
            jobs = await user.submit_many(JOBS, **REQUEST)
            assert (await user.statuses(jobs))["queued"] == JOBS
            await asyncio.sleep(1.0)
            client.flushall()
            os.kill(pid, signal.SIGCONT)
            await check_all(user, jobs, claims=1)
    finally:
        os.kill(pid, signal.SIGCONT)
        client.close()


async def test_kill_9_of_engines_costs_time_only(slow_stack: BackgroundStack) -> None:
    async with User(slow_stack) as user:
        jobs = await running_jobs(user)
        for process in engine_processes(slow_stack):
            process.kill()
        await check_all(user, jobs, claims=1)


def engine_processes(stack: BackgroundStack) -> list[psutil.Process]:
    """The worker processes of our own Ray head in which engines live."""
    head = psutil.Process(stack.pid("ray"))
    found = [one for one in head.children(recursive=True) if "EngineActor" in " ".join(one.cmdline())]
    assert len(found) == 2, "one policy and one verifier"
    return found


@pytest.mark.parametrize("part", ["api", "control", "redis", "postgres", "engines", "ray"])
async def test_kill_9_of_any_other_part_loses_no_job(slow_stack: BackgroundStack, part: str) -> None:
    async with User(slow_stack) as user:
        jobs = await running_jobs(user)
        before = slow_stack.restarts(part)
        slow_stack.kill(part)
        await asyncio.to_thread(slow_stack.wait_restarted, part, before)
        for job in await user.all_ended(jobs):
            assert job["status"] == "completed"
            check_accounts(job, await user.trace(job["id"]), ROLLOUTS)
