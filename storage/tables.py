"""The tables, and the law of `domain.job` repeated as CHECK constraints. A test holds this equal to the migrations.

Values made by users or models are JSON and not JSONB: JSONB refuses NUL characters and lone surrogates, which a model
may well write, and a trace has to come back exactly as it was stored. Nothing queries inside of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from domain.job import FINAL, HIGHEST_PRIORITY, LOWEST_PRIORITY, JobStatus
from domain.verdict import StopReason, status_after

TOPICS = ("job.queued", "job.cancel", "webhook.due")
DELIVERY_STATES = ("pending", "delivered", "dead")
SPEND_COLUMNS = ("prompt_tokens", "generated_tokens", "verified_tokens", "flops", "rollouts", "verifier_calls")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


def _final_has(column: str) -> str:
    return f"({_one_of('status', [status for status in JobStatus if status in FINAL])}) = ({column} IS NOT NULL)"


def _status_of_reason() -> str:
    cases = (f"WHEN '{reason}' THEN '{status_after(reason)}'" for reason in StopReason)
    return f"stop_reason IS NULL OR status = CASE stop_reason {' '.join(cases)} ELSE 'unknown' END"


def _check(name: str, law: str) -> CheckConstraint:
    return CheckConstraint(law, name=name)


def _key(name: str = "id") -> Column[Any]:
    return Column(name, Text, nullable=False)


def _owner(table: str, column: str, *, nullable: bool = False) -> Column[Any]:
    return Column(column, Text, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def _moment(name: str) -> Column[Any]:
    """A moment on the database's clock, set by the row's insertion."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()"))


def _later(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


def _amounts() -> list[Column[Any]]:
    kinds: dict[str, Any] = {name: BigInteger for name in SPEND_COLUMNS} | {"flops": Double}
    return [Column(name, kind, nullable=False, server_default=text("0")) for name, kind in kinds.items()]


def _no_negative_amount() -> CheckConstraint:
    # A FLOPs sum of NaN or infinity would pass `>= 0`: an upper limit refuses both.
    laws = [f"{name} >= 0" for name in SPEND_COLUMNS] + ["flops < 'Infinity'"]
    return _check("amounts", " AND ".join(laws))


tenants = Table(
    "tenants",
    metadata,
    _key(),
    Column("name", Text, nullable=False),
    Column("webhook_secret", Text, nullable=False),
    _moment("created_at"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _key(),
    _owner("tenants", "tenant_id"),
    Column("label", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    _moment("created_at"),
    _later("revoked_at"),
    PrimaryKeyConstraint("id"),
    _check("secret_hash", "octet_length(secret_hash) = 32"),
    Index("ix_api_keys_tenant_id", "tenant_id"),
)

jobs = Table(
    "jobs",
    metadata,
    _key(),
    _owner("tenants", "tenant_id"),
    Column("status", Text, nullable=False, server_default=text("'queued'")),
    Column("problem", JSON, nullable=False),
    Column("strategy", JSON, nullable=False),
    Column("budget_tokens", BigInteger),
    Column("budget_flops", Double),
    Column("budget_rollouts", BigInteger),
    Column("budget_seconds", Double),
    Column("confidence_target", Double),
    Column("seed", BigInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    Column("metadata", JSON, nullable=False),
    Column("webhook_url", Text),
    _moment("created_at"),
    _moment("queued_at"),
    _later("started_at"),
    _later("ended_at"),
    Column("lease_owner", Text),
    _later("lease_expires_at"),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _later("cancel_requested_at"),
    Column("stop_reason", Text),
    Column("verdict", JSON(none_as_null=True)),
    Column("confidence", Double),
    Column("error", JSON(none_as_null=True)),
    *_amounts(),
    PrimaryKeyConstraint("id"),
    _check("status", _one_of("status", JobStatus)),
    _check("lease_while_in_progress", "(status = 'in_progress') = (lease_owner IS NOT NULL)"),
    _check("lease_has_an_end", "(lease_owner IS NULL) = (lease_expires_at IS NULL)"),
    _check("fence", "fence >= 0 AND (fence = 0) = (started_at IS NULL)"),
    _check("in_progress_was_claimed", "status <> 'in_progress' OR fence >= 1"),
    _check("final_has_ended_at", _final_has("ended_at")),
    _check("final_has_stop_reason", _final_has("stop_reason")),
    _check("final_has_verdict", _final_has("verdict")),
    _check("final_has_confidence", _final_has("confidence")),
    _check("stop_reason", _status_of_reason()),
    _check("failed_has_error", "(status = 'failed') = (error IS NOT NULL)"),
    _check("confidence_range", "confidence BETWEEN 0 AND 1"),
    _check("confidence_target_range", "confidence_target BETWEEN 0 AND 1"),
    _check("priority_range", f"priority BETWEEN {LOWEST_PRIORITY} AND {HIGHEST_PRIORITY}"),
    _check(
        "budget_positive",
        "budget_tokens > 0 AND budget_flops > 0 AND budget_rollouts > 0 AND budget_seconds > 0",
    ),
    _no_negative_amount(),
    Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
    Index("ix_jobs_tenant_id_status_id", "tenant_id", "status", "id"),
    # The claim reads the first rows of these two and nothing else, however many finished jobs there are.
    Index(
        "ix_jobs_queued",
        text("priority DESC"),
        "created_at",
        "id",
        postgresql_where=text("status = 'queued'"),
    ),
    Index("ix_jobs_leases", "lease_expires_at", postgresql_where=text("status = 'in_progress'")),
)

events = Table(
    "events",
    metadata,
    _owner("jobs", "job_id"),
    Column("seq", Integer, nullable=False),
    _moment("at"),
    Column("body", JSON, nullable=False),
    PrimaryKeyConstraint("job_id", "seq"),
    _check("seq", "seq >= 0"),
)

calls = Table(
    "calls",
    metadata,
    _key("key"),
    _owner("jobs", "job_id"),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    *_amounts(),
    _moment("at"),
    PrimaryKeyConstraint("key"),
    _no_negative_amount(),
    Index("ix_calls_job_id", "job_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("topic", Text, nullable=False),
    _key("key"),
    _moment("created_at"),
    PrimaryKeyConstraint("id"),
    _check("topic", _one_of("topic", TOPICS)),
    Index("ix_outbox_key", "key"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _owner("tenants", "tenant_id"),
    _key("key"),
    Column("request_hash", Text, nullable=False),
    # Deferred: the key is taken before the job is written, so that a repeated request writes no job at all.
    Column(
        "job_id",
        Text,
        ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    _moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
    Index("ix_idempotency_keys_job_id", "job_id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _key(),
    _owner("tenants", "tenant_id"),
    _owner("jobs", "job_id"),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("created_at"),
    Column("next_attempt_at", DateTime(timezone=True), server_default=text("clock_timestamp()")),
    _later("delivered_at"),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    PrimaryKeyConstraint("id"),
    _check("state", _one_of("state", DELIVERY_STATES)),
    _check("pending_is_due_some_time", "(state = 'pending') = (next_attempt_at IS NOT NULL)"),
    _check("delivered_at", "(state = 'delivered') = (delivered_at IS NOT NULL)"),
    _check("attempts", "attempts >= 0 AND (state = 'pending' OR attempts >= 1)"),
    Index("ix_webhook_deliveries_due", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_deliveries_job_id", "job_id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    _owner("webhook_deliveries", "delivery_id"),
    Column("attempt", Integer, nullable=False),
    _moment("at"),
    Column("status_code", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("id"),
    _check("attempt", "attempt >= 1"),
    Index("ix_webhook_attempts_delivery_id", "delivery_id"),
)
