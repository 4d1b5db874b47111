"""Who owns what: tenants with their limits, their API keys, and the idempotency keys of their requests."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from domain.limits import MAX_WEIGHT
from storage.columns import check, key, later, moment, one_of, owner
from storage.tables.metadata import metadata

KEY_SOURCES = ("created", "environment", "home")

tenants = Table(
    "tenants",
    metadata,
    key(),
    Column("name", Text, nullable=False),
    Column("webhook_secret", Text, nullable=False),
    Column("previous_webhook_secret", Text),
    later("previous_webhook_secret_until"),
    moment("created_at"),
    Column("weight", Double, nullable=False, server_default=text("1")),
    Column("max_running", Integer),
    Column("max_queued", Integer),
    Column("tokens_per_day", BigInteger),
    Column("cost_per_day", Double),
    Column("requests_per_minute", Integer),
    Column("retention_days", Integer),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    check(
        "previous_webhook_secret_has_an_end",
        "(previous_webhook_secret IS NULL) = (previous_webhook_secret_until IS NULL)",
    ),
    check("weight", f"weight > 0 AND weight <= {MAX_WEIGHT:g}"),
    check(
        "limits",
        "max_running >= 0 AND max_queued >= 0 AND tokens_per_day >= 0 AND cost_per_day >= 0"
        " AND cost_per_day < 'Infinity' AND requests_per_minute >= 1 AND retention_days >= 0",
    ),
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
    Column("scopes", ARRAY(Text), nullable=False),
    Column("source", Text, nullable=False, server_default=text("'created'")),
    later("expires_at"),
    Column("previous_hash", LargeBinary),
    later("previous_until"),
    later("last_used_at"),
    Column("revoked_by", Text),
    PrimaryKeyConstraint("id"),
    check("secret_hash", "octet_length(secret_hash) = 32"),
    check("scopes", "cardinality(scopes) > 0"),
    check("source", one_of("source", KEY_SOURCES)),
    check("revoked_by", "(revoked_at IS NULL) = (revoked_by IS NULL)"),
    check("previous", "(previous_hash IS NULL) = (previous_until IS NULL) AND octet_length(previous_hash) = 32"),
    Index("ix_api_keys_tenant_id", "tenant_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    owner("tenants", "tenant_id"),
    key("key"),
    Column("operation", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # No foreign key: it may be a thing of any kind. Who erases the thing erases its keys.
    Column("resource_id", Text),
    # The answer itself, of a request that creates nothing that could be shown again.
    Column("response", JSON(none_as_null=True)),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
    Index("ix_idempotency_keys_resource_id", "resource_id"),
)
