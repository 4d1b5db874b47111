"""Submitting: job, event 0, idempotency key and outbox row in one transaction. Submitted twice, it is one job.

Law: a replay is never refused for a limit; what is new is stored only within the limits of its tenant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, RowMapping, Select, bindparam, func, insert, literal, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.codec import encode
from domain.errors import InvalidRequest
from domain.events import JobSubmitted
from domain.ids import JobId, is_id
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from domain.ports import NewJob
from storage.admission import admit
from storage.idempotency import take
from storage.listener import CHANNEL
from storage.outbox import QUEUED, post
from storage.tables import events, jobs, outbox

MAX_SEED = 2**63 - 1
MAX_URL_CHARS = 2048
KIND = "job"
"""What an idempotency key that led to a job leads to."""
MAX_LABEL_CHARS = 64


async def submit(connection: AsyncConnection, job: NewJob) -> tuple[JobId, bool]:
    """The id of the stored job, and whether an earlier request had stored it. Raises InvalidRequest for what does not
    fit the tables, LimitReached, IdempotencyConflict and RequestInFlight."""
    stored, row = await submit_row(connection, job)
    return stored, row is None


async def submit_row(connection: AsyncConnection, job: NewJob) -> tuple[JobId, RowMapping | None]:
    """The same with the stored row as `select_jobs` gives it, and its `queue_position`; None when an earlier request
    had stored it."""
    check_job(job)
    if job.attempt is not None:
        earlier = await take(connection, job.attempt, KIND, job.id)
        if earlier is not None:
            return JobId(earlier), None
    await admit(connection, job.tenant)
    stored = await connection.execute(_STORE, job_row(job) | {"body": encode(first_event(job))})
    # None: the caller repeats a submit whose commit succeeded and yet reported an error.
    return job.id, stored.mappings().first()


def _storing() -> Select[Any]:
    """Job, event 0, outbox row and its notification in one statement: each would take as long as all of them."""
    columns = {name: bindparam(name, type_=jobs.c[name].type) for name in COLUMNS}
    job = insert_or_skip(jobs).values(columns).on_conflict_do_nothing().returning(jobs).cte("job")
    body = bindparam("body", type_=events.c.body.type)
    first = insert(events).from_select(["job_id", "seq", "body"], select(job.c.id, literal(0), body)).cte("first")
    bell = insert(outbox).from_select(["topic", "key"], select(literal(QUEUED), job.c.id)).cte("bell")
    ahead = jobs.alias("ahead")
    position = (
        select(func.count())
        .where(ahead.c.tenant_id == job.c.tenant_id, ahead.c.status == "queued", ahead.c.priority >= job.c.priority)
        .correlate(job)
        .scalar_subquery()
    )
    notified = func.pg_notify(CHANNEL, "").label("notified")
    return select(job, func.clock_timestamp().label("read_at"), position.label("queue_position"), notified).add_cte(
        first, bell
    )


async def submit_many(connection: AsyncConnection, fresh: Sequence[NewJob]) -> None:
    """Store jobs that nobody has stored before, without idempotency keys, with one ring for all of them."""
    if not fresh:
        return
    for job in fresh:
        check_job(job)
    rows = [job_row(job) for job in fresh]
    values: dict[str, Any] = {name: [row[name] for row in rows] for name in COLUMNS}
    # JSON arrays: an array of JSON texts would have every quote escaped once more, and arrays of arrays must be even.
    texts = {name: json.dumps(values[name]) for name in (*_JSON, *_LISTS)}
    bodies = json.dumps([encode(first_event(job)) for job in fresh])
    await connection.execute(_STORE_MANY, values | texts | {"body": bodies})
    await post(connection, QUEUED, [fresh[0].id])


def first_event(job: NewJob) -> JobSubmitted:
    """Event 0 of its trace."""
    return JobSubmitted(job.problem, job.strategy, job.budget, job.confidence, job.seed)


COLUMNS = (
    "id", "tenant_id", "problem", "strategy", "budget_tokens", "budget_flops", "budget_rollouts", "budget_seconds",
    "confidence_target", "seed", "priority", "metadata", "webhook_url", "webhook_events", "announces", "labels",
    "deadline",
)  # fmt: skip
_STORE = _storing()
_JSON = ("problem", "strategy", "metadata")
_LISTS = ("webhook_events", "labels")


def _column(name: str) -> str:
    if name in _LISTS:
        return f"CASE json_typeof({name}) WHEN 'array' THEN ARRAY(SELECT json_array_elements_text({name})) END"
    return name


def _source(name: str) -> str:
    if name in (*_JSON, *_LISTS, "body"):
        return f"json_array_elements(CAST(:{name} AS json))"
    return f"unnest(CAST(:{name} AS {jobs.c[name].type.compile(_DIALECT)}[]))"


_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_STORE_MANY = text(
    f"""
    WITH fresh AS (
        SELECT * FROM ROWS FROM ({", ".join(map(_source, (*COLUMNS, "body")))}) AS fresh ({", ".join(COLUMNS)}, body)
    ), job AS (
        INSERT INTO jobs ({", ".join(COLUMNS)}) SELECT {", ".join(map(_column, COLUMNS))} FROM fresh
    )
    INSERT INTO events (job_id, seq, body) SELECT id, 0, body FROM fresh
    """
)


def job_row(job: NewJob) -> dict[str, Any]:
    """What `COLUMNS` hold."""
    return {
        "id": job.id,
        "tenant_id": job.tenant,
        "problem": encode(job.problem),
        "strategy": encode(job.strategy),
        "budget_tokens": job.budget.tokens,
        "budget_flops": job.budget.flops,
        "budget_rollouts": job.budget.rollouts,
        "budget_seconds": job.budget.seconds,
        "confidence_target": job.confidence,
        "seed": job.seed,
        "priority": job.priority,
        "metadata": dict(job.metadata),
        "webhook_url": job.webhook_url,
        "webhook_events": None if job.webhook_events is None else list(job.webhook_events),
        "announces": job.announces.value,
        "labels": list(job.labels),
        "deadline": None if job.deadline_unix_s is None else datetime.fromtimestamp(job.deadline_unix_s, UTC),
    }


def check_job(job: NewJob) -> None:
    """Raises InvalidRequest: what a column can't hold is the caller's mistake and must not become a database error."""
    if not is_id("job", job.id):
        raise ValueError("a job's id is made by make_id('job', …)")
    if not 0 <= job.seed <= MAX_SEED:
        raise InvalidRequest(f"seed must be from 0 to {MAX_SEED}", param="seed")
    if not LOWEST_PRIORITY <= job.priority <= HIGHEST_PRIORITY:
        raise InvalidRequest(f"priority must be from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}", param="priority")
    if job.confidence is not None and not 0 <= job.confidence <= 1:
        raise InvalidRequest("confidence must be from 0 to 1", param="confidence")
    _check_text(job.webhook_url, MAX_URL_CHARS, "webhook_url")
    for label in job.labels:
        _check_text(label, MAX_LABEL_CHARS, "labels")


def _check_text(value: str | None, limit: int, param: str) -> None:
    if value is None:
        return
    if len(value) > limit:
        raise InvalidRequest(f"{param} has {len(value)} characters; the limit is {limit}", param=param)
    if not _storable(value):
        raise InvalidRequest(f"{param} holds characters that can't be stored: remove them", param=param)


def _storable(value: str) -> bool:
    """Postgres' text holds all of Unicode but NUL, and no lone surrogates."""
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
