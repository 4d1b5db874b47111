"""Who owns what: tenants, their API keys, and the idempotency keys of their requests."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from storage.columns import check, key, later, moment, owner
from storage.tables.metadata import metadata

tenants = Table(
    "tenants",
    metadata,
    key(),
    Column("name", Text, nullable=False),
    Column("webhook_secret", Text, nullable=False),
    moment("created_at"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    Column("label", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    moment("created_at"),
    later("revoked_at"),
    PrimaryKeyConstraint("id"),
    check("secret_hash", "octet_length(secret_hash) = 32"),
    Index("ix_api_keys_tenant_id", "tenant_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    owner("tenants", "tenant_id"),
    key("key"),
    Column("request_hash", Text, nullable=False),
    # Deferred: the key is taken before the job is written, so that a repeated request writes no job at all.
    Column(
        "job_id",
        Text,
        ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
    Index("ix_idempotency_keys_job_id", "job_id"),
)
