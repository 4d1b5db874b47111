"""Webhook endpoints, deliveries and every attempt at one."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from storage.columns import check, key, later, moment, one_of, owner
from storage.tables.metadata import metadata

DELIVERY_STATES = ("pending", "delivered", "dead")
DISABLED_REASONS = ("gone", "failing", "owner")
"""It answered 410; it failed for days; its owner said so."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    later("previous_secret_until"),
    moment("created_at"),
    moment("updated_at"),
    later("failing_since"),
    later("disabled_at"),
    Column("disabled_reason", Text),
    PrimaryKeyConstraint("id"),
    check("event_types", "cardinality(event_types) >= 1"),
    check("previous_secret_has_an_end", "(previous_secret IS NULL) = (previous_secret_until IS NULL)"),
    check("disabled_has_a_reason", "(disabled_at IS NULL) = (disabled_reason IS NULL)"),
    check("disabled_reason", one_of("disabled_reason", DISABLED_REASONS)),
    Index("ix_webhook_endpoints_tenant_id_id", "tenant_id", "id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    owner("jobs", "job_id", nullable=True),
    owner("webhook_endpoints", "endpoint_id", nullable=True),
    Column("event_type", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("created_at"),
    Column("next_attempt_at", DateTime(timezone=True), server_default=text("clock_timestamp()")),
    later("delivered_at"),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    PrimaryKeyConstraint("id"),
    check("state", one_of("state", DELIVERY_STATES)),
    check("pending_is_due_some_time", "(state = 'pending') = (next_attempt_at IS NOT NULL)"),
    check("delivered_at", "(state = 'delivered') = (delivered_at IS NOT NULL)"),
    check("attempts", "attempts >= 0 AND (state <> 'delivered' OR attempts >= 1)"),
    Index("ix_webhook_deliveries_due", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_deliveries_job_id", "job_id"),
    Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    owner("webhook_deliveries", "delivery_id"),
    Column("attempt", Integer, nullable=False),
    moment("at"),
    Column("status_code", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("id"),
    check("attempt", "attempt >= 1"),
    Index("ix_webhook_attempts_delivery_id", "delivery_id"),
)
