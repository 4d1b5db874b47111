"""What tenants used and what was done to them: usage by day, the audit log, and requests that may come once more."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from storage.columns import amounts, check, key, moment, no_negative_amount, owner
from storage.tables.metadata import metadata

recent_requests = Table(
    "recent_requests",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    owner("tenants", "tenant_id"),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("retries", SmallInteger, nullable=False, server_default=text("0")),
    moment("created_at"),
    PrimaryKeyConstraint("id"),
    check("retries", "retries >= 0"),
    Index("ix_recent_requests_tenant_id_fingerprint", "tenant_id", "fingerprint"),
    Index("ix_recent_requests_created_at", "created_at"),
    Index("ix_recent_requests_resource_id", "resource_id"),
)

# Neither of these has a foreign key: what was used, and done, outlives the jobs and the tenant.
usage_days = Table(
    "usage_days",
    metadata,
    key("tenant_id"),
    Column("day", Date, nullable=False),
    Column("calls", BigInteger, nullable=False, server_default=text("0")),
    Column("cost", Numeric, nullable=False, server_default=text("0")),
    *amounts(),
    PrimaryKeyConstraint("tenant_id", "day"),
    check("cost", "cost >= 0 AND calls >= 0"),
    no_negative_amount(),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    moment("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("tenant_id", Text),
    Column("object_id", Text),
    Column("details", JSON, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("ix_audit_log_tenant_id_id", "tenant_id", "id"),
)
