"""Jobs and what belongs to one: its events, its paid calls, and the outbox that rings for it.

The law of `domain.job` is repeated here as CHECK constraints."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY, JobStatus
from domain.webhook_events import Announces
from storage.columns import (
    amounts,
    check,
    final_has,
    key,
    later,
    moment,
    no_negative_amount,
    one_of,
    owner,
    status_of_reason,
)
from storage.tables.metadata import metadata

TOPICS = ("job.queued", "job.cancel", "webhook.due")

jobs = Table(
    "jobs",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
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
    Column("webhook_events", ARRAY(Text)),
    Column("announces", Text, nullable=False, server_default=text("'job'")),
    Column("labels", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    later("deadline"),
    moment("created_at"),
    moment("queued_at"),
    later("started_at"),
    later("ended_at"),
    Column("lease_owner", Text),
    later("lease_expires_at"),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    later("cancel_requested_at"),
    # Its owner sees it no more; it goes as soon as nobody works on it.
    later("erase_requested_at"),
    Column("stop_reason", Text),
    Column("verdict", JSON(none_as_null=True)),
    Column("confidence", Double),
    Column("error", JSON(none_as_null=True)),
    *amounts(),
    PrimaryKeyConstraint("id"),
    check("status", one_of("status", JobStatus)),
    check("lease_while_in_progress", "(status = 'in_progress') = (lease_owner IS NOT NULL)"),
    check("lease_has_an_end", "(lease_owner IS NULL) = (lease_expires_at IS NULL)"),
    check("fence", "fence >= 0 AND (fence = 0) = (started_at IS NULL)"),
    check("in_progress_was_claimed", "status <> 'in_progress' OR fence >= 1"),
    check("final_has_ended_at", final_has("ended_at")),
    check("final_has_stop_reason", final_has("stop_reason")),
    check("final_has_verdict", final_has("verdict")),
    check("final_has_confidence", final_has("confidence")),
    check("stop_reason", status_of_reason()),
    check("failed_has_error", "(status = 'failed') = (error IS NOT NULL)"),
    check("confidence_range", "confidence BETWEEN 0 AND 1"),
    check("confidence_target_range", "confidence_target BETWEEN 0 AND 1"),
    check("announces", one_of("announces", Announces)),
    check("priority_range", f"priority BETWEEN {LOWEST_PRIORITY} AND {HIGHEST_PRIORITY}"),
    check(
        "budget_positive",
        "budget_tokens > 0 AND budget_flops > 0 AND budget_rollouts > 0 AND budget_seconds > 0",
    ),
    no_negative_amount(),
    # For lists, which leave the lines of batches out.
    Index("ix_jobs_tenant_id_id", "tenant_id", "id", postgresql_where=text("announces <> 'batch'")),
    Index("ix_jobs_tenant_id_status_id", "tenant_id", "status", "id"),
    # The claim reads the first rows of each tenant in the one, and the other, however many finished jobs there are.
    Index(
        "ix_jobs_queued",
        "tenant_id",
        text("priority DESC"),
        "created_at",
        "id",
        postgresql_where=text("status = 'queued'"),
    ),
    Index("ix_jobs_erasing", "erase_requested_at", postgresql_where=text("erase_requested_at IS NOT NULL")),
    Index("ix_jobs_deadline", "deadline", postgresql_where=text("status = 'queued' AND deadline IS NOT NULL")),
    Index("ix_jobs_labels", "labels", postgresql_using="gin", postgresql_where=text("labels <> '{}'")),
    Index("ix_jobs_tenant_id_ended_at", "tenant_id", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    Index("ix_jobs_leases", "lease_expires_at", postgresql_where=text("status = 'in_progress'")),
)

events = Table(
    "events",
    metadata,
    owner("jobs", "job_id"),
    Column("seq", Integer, nullable=False),
    moment("at"),
    Column("body", JSON, nullable=False),
    PrimaryKeyConstraint("job_id", "seq"),
    check("seq", "seq >= 0"),
)

calls = Table(
    "calls",
    metadata,
    key("key"),
    owner("jobs", "job_id"),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    *amounts(),
    moment("at"),
    PrimaryKeyConstraint("key"),
    no_negative_amount(),
    Index("ix_calls_job_id", "job_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("topic", Text, nullable=False),
    key("key"),
    moment("created_at"),
    PrimaryKeyConstraint("id"),
    check("topic", one_of("topic", TOPICS)),
    Index("ix_outbox_key", "key"),
)
