"""The registry of tables. A test holds it equal to the migrations.

Values made by users or models are JSON and not JSONB: JSONB refuses NUL characters and lone surrogates, which a model
may well write, and a trace has to come back exactly as it was stored. Nothing queries inside of them.
"""

from __future__ import annotations

from storage.tables.accounts import audit_log, recent_requests, usage_days
from storage.tables.batches import CHUNK_BYTES, batch_lines, batches, file_chunks, files
from storage.tables.jobs import TOPICS, calls, events, jobs, outbox
from storage.tables.metadata import metadata
from storage.tables.responses import RESPONSE_ENDPOINTS, responses
from storage.tables.tenants import KEY_SOURCES, api_keys, idempotency_keys, tenants
from storage.tables.webhooks import (
    DELIVERY_STATES,
    DISABLED_REASONS,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
)

__all__ = [
    "CHUNK_BYTES",
    "DELIVERY_STATES",
    "DISABLED_REASONS",
    "KEY_SOURCES",
    "RESPONSE_ENDPOINTS",
    "TOPICS",
    "api_keys",
    "audit_log",
    "batch_lines",
    "batches",
    "calls",
    "events",
    "file_chunks",
    "files",
    "idempotency_keys",
    "jobs",
    "metadata",
    "outbox",
    "recent_requests",
    "responses",
    "tenants",
    "usage_days",
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoints",
]
