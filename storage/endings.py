"""The end of jobs: final state, batch counters, webhook deliveries and outbox rows, for many jobs at once, in the
caller's transaction.

Law: the caller holds the rows' locks and has seen that they are not final; so a job ends once and is delivered once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ports import Finish
from domain.webhook_events import Announces, event_of, object_of
from storage.announcing import Announcement, Parcel, dispatch, event_body, subscribed
from storage.batch_endings import end_lines
from storage.json_text import json_text

_END = text(
    """
    UPDATE jobs SET status = ended.status, stop_reason = ended.reason, verdict = ended.verdict::json,
        confidence = ended.confidence, error = ended.error::json, ended_at = :now,
        lease_owner = NULL, lease_expires_at = NULL
    FROM unnest(CAST(:ids AS text[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]), CAST(:verdicts AS text[]),
        CAST(:confidences AS float8[]), CAST(:errors AS text[]))
        AS ended (id, status, reason, verdict, confidence, error)
    WHERE jobs.id = ended.id
    """
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A locked job that is not final yet, and how it ends."""

    job: str
    tenant: str
    webhook_url: str | None
    metadata: dict[str, str]
    finish: Finish
    webhook_events: Sequence[str] | None = None
    """The events that its own `webhook_url` is to get; None: all."""
    announces: Announces = Announces.JOB

    @property
    def own_event(self) -> str:
        """What its own `webhook_url` is told."""
        return f"job.{self.finish.status.value}"

    @property
    def event(self) -> str | None:
        """What the tenant's endpoints are told."""
        return event_of(self.announces, self.finish.status)


ENDING_COLUMNS = "tenant_id, webhook_url, metadata, webhook_events, announces"
"""What a row of jobs must have for `ending_of`."""


def ending_of(job: str, row: Row[Any], finish: Finish) -> Ending:
    return Ending(
        job, row.tenant_id, row.webhook_url, row.metadata, finish, row.webhook_events, Announces(row.announces)
    )


async def end_jobs(connection: AsyncConnection, endings: Sequence[Ending], now: datetime) -> None:
    """`now` is the database's clock: it becomes `ended_at` and the moment in the webhook's body."""
    if not endings:
        return
    finishes = [ending.finish for ending in endings]
    values = {
        "now": now,
        "ids": [ending.job for ending in endings],
        "statuses": [finish.status.value for finish in finishes],
        "reasons": [finish.reason.value for finish in finishes],
        "verdicts": [json_text(finish.verdict) for finish in finishes],
        "confidences": [finish.verdict.confidence for finish in finishes],
        "errors": [None if finish.error is None else json_text(finish.error) for finish in finishes],
    }
    await connection.execute(_END, values)
    await end_lines(connection, [ending.job for ending in endings])
    own = [_own_parcel(ending, now) for ending in endings if _wanted(ending)]
    announced = [_announcement(ending) for ending in endings if ending.event is not None]
    await dispatch(connection, own + await subscribed(connection, announced, now))


def _wanted(ending: Ending) -> bool:
    """Whether the job's own `webhook_url` is to hear of this end."""
    return bool(ending.webhook_url) and (ending.webhook_events is None or ending.own_event in ending.webhook_events)


def _own_parcel(ending: Ending, now: datetime) -> Parcel:
    body = event_body(ending.own_event, result_of(ending), now)
    return Parcel(ending.tenant, ending.own_event, ending.webhook_url or "", body, ending.job)


def _announcement(ending: Ending) -> Announcement:
    native = ending.announces is Announces.JOB
    data = result_of(ending) if native else {"id": object_of(ending.announces, ending.job)}
    return Announcement(ending.tenant, ending.event or "", data, ending.job)


def result_of(ending: Ending) -> dict[str, Any]:
    """The `data` of our own events."""
    finish = ending.finish
    return {
        "id": ending.job,
        "status": finish.status.value,
        "answer": finish.verdict.answer,
        "confidence": finish.verdict.confidence,
        "confidence_kind": finish.verdict.confidence_kind.value,
        "stop_reason": finish.reason.value,
        "metadata": ending.metadata,
    }
