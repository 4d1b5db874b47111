"""Builders of jobs and writes for tests, and the laws of storage as questions to the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from domain.attempt import Attempt
from domain.budget import Budget, Spend
from domain.events import Event, JobStopped, MoveSettled
from domain.ids import JobId, TenantId
from domain.job import JobError
from domain.moves import Answer, FinishReason, Sampled
from domain.ports import CallRecord, Finish, JobWrite, NewJob
from domain.problem import text_problem
from domain.specs.parallel import BestOfN
from domain.verdict import Candidate, StopReason, Verdict, status_after
from storage.database import Database
from storage.fresh_ids import fresh_id

COST = Spend(prompt_tokens=10, generated_tokens=20, flops=6e6, rollouts=1)
VERDICT = Verdict("42", 0.75, "6 · 7\n\n\\boxed{42}", "3 of 4 agree", (Candidate("42", 3, 0.75),))


def new_job(tenant: TenantId, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": JobId(fresh_id("job")),
        "tenant": tenant,
        "problem": text_problem("What is 6 · 7?"),
        "strategy": BestOfN(n=4),
        "budget": Budget(tokens=1000),
        "confidence": 0.9,
        "seed": 7,
        "priority": 0,
        "webhook_url": None,
        "metadata": (),
    }
    return NewJob(**(values | changes))


def keyed(tenant: TenantId, key: str = "k", request_hash: str = "h") -> Attempt:
    """A POST of a job with this Idempotency-Key."""
    return Attempt(tenant, "POST /v1/reasoning/jobs", request_hash, key)


def settled(number: int, key: str = "", answer: str = "42") -> MoveSettled:
    outcome = Sampled(f"sample-{number}", "6 · 7", FinishReason.END, Answer(answer, answer), -1.5, COST)
    return MoveSettled(key or f"call-{number}", outcome)


def call(key: str) -> CallRecord:
    return CallRecord(key, "sample", "model@1", COST)


def progress(job: str, fence: int, first_seq: int = 1, count: int = 1, spend: Spend = COST) -> JobWrite:
    """A write of `count` settled moves and their calls."""
    numbers = range(first_seq, first_seq + count)
    keys = [f"{job}/{number}" for number in numbers]
    events = tuple(settled(number, key) for number, key in zip(numbers, keys, strict=True))
    return JobWrite(JobId(job), fence, first_seq, events, tuple(map(call, keys)), spend)


def ending(job: str, fence: int, seq: int, reason: StopReason = StopReason.COMPLETE) -> JobWrite:
    """The last write of a job."""
    status = status_after(reason)
    error = JobError("engine_error", "every call failed") if status == "failed" else None
    last: Event = JobStopped(status, reason, VERDICT, COST, None)
    return JobWrite(JobId(job), fence, seq, (last,), (), COST, Finish(status, reason, VERDICT, error))


async def scalar(database: Database, query: str, **values: Any) -> Any:
    async with database.transaction() as connection:
        return (await connection.execute(text(query), values)).scalar()


async def run_sql(database: Database, statement: str, **values: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), values)


async def expire_leases(database: Database) -> None:
    await run_sql(database, "UPDATE jobs SET lease_expires_at = now() - interval '1 s' WHERE status = 'in_progress'")
