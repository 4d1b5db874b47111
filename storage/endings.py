"""The end of jobs: final state, webhook delivery and outbox row, for many jobs at once and in the caller's transaction.

Law: the caller holds the rows' locks and has seen that they are not final; so a job ends once and is delivered once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ports import Finish
from storage.fresh_ids import fresh_id
from storage.json_text import json_text
from storage.outbox import WEBHOOK_DUE, post

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
_DELIVER = text(
    """
    INSERT INTO webhook_deliveries (id, tenant_id, job_id, url, body)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:tenants AS text[]), CAST(:jobs AS text[]), CAST(:urls AS text[]),
        CAST(:bodies AS bytea[]))
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
    await _deliver(connection, [ending for ending in endings if ending.webhook_url], now)


async def _deliver(connection: AsyncConnection, endings: Sequence[Ending], now: datetime) -> None:
    if not endings:
        return
    ids = [fresh_id("whd") for _ in endings]
    values = {
        "ids": ids,
        "tenants": [ending.tenant for ending in endings],
        "jobs": [ending.job for ending in endings],
        "urls": [ending.webhook_url for ending in endings],
        "bodies": [webhook_body(ending, now) for ending in endings],
    }
    await connection.execute(_DELIVER, values)
    await post(connection, WEBHOOK_DUE, ids)


def webhook_body(ending: Ending, now: datetime) -> bytes:
    """The exact bytes that are signed and sent, at every attempt the same."""
    finish = ending.finish
    body: dict[str, Any] = {
        "id": fresh_id("evt"),
        "type": f"job.{finish.status.value}",
        "created_at": int(now.timestamp()),
        "data": {
            "id": ending.job,
            "status": finish.status.value,
            "answer": finish.verdict.answer,
            "confidence": finish.verdict.confidence,
            "stop_reason": finish.reason.value,
            "metadata": ending.metadata,
        },
    }
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
