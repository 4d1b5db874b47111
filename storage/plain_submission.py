"""A plain submission in one statement: limits, job, event 0, outbox row and the memory of the request, or nothing.

Law: it stores what `storage.submission` would have stored, or nothing at all. Whatever is not plain (a key, a retry, a
limit that is near, a job that is stored already) is left to that module, which says what is the matter. One trip to
the server instead of six, and a sixth of this process's work.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, Row, text
from sqlalchemy.dialects import postgresql

from domain.attempt import Attempt
from domain.budget import NO_COST
from domain.codec import encode
from domain.job import JobStatus
from domain.ports import NewJob
from storage.admission import CLOSE
from storage.database import Database
from storage.idempotency import fingerprint_of, lock_of
from storage.listener import CHANNEL
from storage.outbox import QUEUED
from storage.records import JobRecord
from storage.submission import COLUMNS, KIND, check_job, first_event, job_row
from storage.tables import jobs

_JSON = ("problem", "strategy", "metadata")
_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_TYPES = {name: jobs.c[name].type.compile(_DIALECT) for name in COLUMNS}
# `CLOSE`: as near to the limit on waiting jobs as this, submissions go one by one.
_STORE = text(
    f"""
    WITH standing AS (
        SELECT tenants.id, queue.ahead FROM tenants
        CROSS JOIN LATERAL (
            SELECT count(*) AS queued, count(*) FILTER (WHERE priority >= :priority) AS ahead
            FROM jobs WHERE tenant_id = tenants.id AND status = 'queued'
        ) AS queue
        LEFT JOIN usage_days AS used ON used.tenant_id = tenants.id
            AND used.day = CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date)
        WHERE tenants.id = :tenant_id AND coalesce(queue.queued < tenants.max_queued - {CLOSE}, true)
            AND coalesce(coalesce(used.generated_tokens + used.verified_tokens, 0) < tenants.tokens_per_day, true)
            AND coalesce(coalesce(used.cost, 0) < tenants.cost_per_day, true)
    ), job AS (
        INSERT INTO jobs ({", ".join(COLUMNS)})
        SELECT {", ".join(f"CAST(:{name} AS {_TYPES[name]})" for name in COLUMNS)} FROM standing
        ON CONFLICT DO NOTHING RETURNING id, tenant_id, created_at
    ), first AS (
        INSERT INTO events (job_id, seq, body) SELECT id, 0, CAST(:body AS json) FROM job
    ), bell AS (
        INSERT INTO outbox (topic, key) SELECT '{QUEUED}', id FROM job
    ), remembered AS (
        INSERT INTO recent_requests (tenant_id, fingerprint, kind, resource_id)
        SELECT job.tenant_id, CAST(:fingerprint AS bytea), '{KIND}', job.id
        FROM job, (SELECT pg_advisory_xact_lock_shared(CAST(:lock AS bigint))) AS locked
        WHERE CAST(:fingerprint AS bytea) IS NOT NULL
    )
    SELECT job.created_at, clock_timestamp() AS read_at, standing.ahead, pg_notify('{CHANNEL}', '') FROM job, standing
    """
)


async def submit_plainly(database: Database, job: NewJob) -> JobRecord | None:
    """The stored job; None: nothing was stored, and `submit_row` knows why. Raises InvalidRequest, Unavailable."""
    if not _is_plain(job.attempt):
        return None
    check_job(job)
    async with database.statement() as connection:
        row = (await connection.execute(_STORE, _values(job))).first()
    return None if row is None else _stored(job, row)


def _is_plain(attempt: Attempt | None) -> bool:
    return attempt is None or (attempt.key is None and attempt.retry == 0)


def _values(job: NewJob) -> dict[str, Any]:
    row = job_row(job)
    texts = {name: json.dumps(row[name]) for name in _JSON} | {"body": json.dumps(encode(first_event(job)))}
    memory = {
        "fingerprint": None if job.attempt is None else fingerprint_of(job.attempt),
        "lock": None if job.attempt is None else lock_of(job.attempt),
    }
    return row | texts | memory


def _stored(job: NewJob, row: Row[Any]) -> JobRecord:
    return JobRecord(
        id=job.id,
        tenant=job.tenant,
        status=JobStatus.QUEUED,
        problem=job.problem,
        strategy=job.strategy,
        budget=job.budget,
        confidence_target=job.confidence,
        seed=job.seed,
        priority=job.priority,
        metadata=dict(job.metadata),
        webhook_url=job.webhook_url,
        webhook_events=job.webhook_events,
        announces=job.announces,
        labels=job.labels,
        deadline=job_row(job)["deadline"],
        created_at=row.created_at,
        started_at=None,
        ended_at=None,
        verdict=None,
        stop_reason=None,
        spend=NO_COST,
        error=None,
        cancel_requested=False,
        fence=0,
        read_at=row.read_at,
        queue_position=row.ahead,
    )
