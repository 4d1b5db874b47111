"""A job as it is read: one frozen value, with its times measured by the database's clock alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, select

from domain.budget import Budget, Spend
from domain.codec import decode
from domain.ids import JobId, TenantId
from domain.job import JobError, JobStatus
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.verdict import StopReason, Verdict
from domain.webhook_events import Announces
from storage.columns import SPEND_COLUMNS
from storage.tables import jobs

_STRATEGY: Any = StrategySpec  # a union is no `type` to a type checker, yet the codec reads it


NOT_ERASED = jobs.c.erase_requested_at.is_(None)
"""Every query for a job's owner has this: a job that is to be erased is not there any more."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What a user wrote and what a model answered stay out of the repr: it may reach a log."""

    id: JobId
    tenant: TenantId
    status: JobStatus
    problem: Problem = field(repr=False)
    strategy: StrategySpec
    budget: Budget
    confidence_target: float | None
    seed: int
    priority: int
    metadata: dict[str, str] = field(repr=False)
    webhook_url: str | None = field(repr=False)
    webhook_events: tuple[str, ...] | None
    announces: Announces
    labels: tuple[str, ...] = field(repr=False)
    deadline: datetime | None
    created_at: datetime
    started_at: datetime | None
    """When it was claimed for the first time."""
    ended_at: datetime | None
    verdict: Verdict | None = field(repr=False)
    """None until the job has ended."""
    stop_reason: StopReason | None
    spend: Spend
    error: JobError | None
    cancel_requested: bool
    fence: int
    """Number of claims so far."""
    read_at: datetime
    """The database's clock when this was read."""
    queue_position: int | None = None
    """Number of its tenant's queued jobs that are claimed before it; None when it was not asked for, or has begun."""

    @property
    def seconds(self) -> float:
        """Wall-clock since the first claim, until the end or until now; 0 before it."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.ended_at or self.read_at) - self.started_at).total_seconds())

    @property
    def queue_seconds(self) -> float:
        """Time from submission to the first claim (or to the end, or until now)."""
        until = self.started_at or self.ended_at or self.read_at
        return max(0.0, (until - self.created_at).total_seconds())


def select_jobs() -> Select[Any]:
    return select(jobs, func.clock_timestamp().label("read_at"))


def job_record(row: RowMapping | Mapping[str, Any]) -> JobRecord:
    return JobRecord(
        id=row["id"],
        tenant=row["tenant_id"],
        status=JobStatus(row["status"]),
        problem=decode(Problem, row["problem"]),
        strategy=decode(_STRATEGY, row["strategy"]),
        budget=Budget(row["budget_tokens"], row["budget_flops"], row["budget_rollouts"], row["budget_seconds"]),
        confidence_target=row["confidence_target"],
        seed=row["seed"],
        priority=row["priority"],
        metadata=row["metadata"],
        webhook_url=row["webhook_url"],
        webhook_events=None if row["webhook_events"] is None else tuple(row["webhook_events"]),
        announces=Announces(row["announces"]),
        labels=tuple(row["labels"]),
        deadline=row["deadline"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        verdict=None if row["verdict"] is None else decode(Verdict, row["verdict"]),
        stop_reason=None if row["stop_reason"] is None else StopReason(row["stop_reason"]),
        spend=Spend(*(row[name] for name in SPEND_COLUMNS)),
        error=None if row["error"] is None else decode(JobError, row["error"]),
        cancel_requested=row["cancel_requested_at"] is not None,
        fence=row["fence"],
        read_at=row["read_at"],
        queue_position=row.get("queue_position"),
    )
