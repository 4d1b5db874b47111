"""The first tables: tenants, keys, jobs, events, calls, the outbox and webhook deliveries.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANTS = """
CREATE TABLE tenants (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    webhook_secret TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT uq_tenants_name UNIQUE (name)
);
"""

API_KEYS = """
CREATE TABLE api_keys (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    label TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    revoked_at TIMESTAMPTZ,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT ck_api_keys_secret_hash CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT fk_api_keys_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_api_keys_tenant_id ON api_keys (tenant_id);
"""

JOBS = """
CREATE TABLE jobs (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    status TEXT DEFAULT 'queued' NOT NULL,
    problem JSON NOT NULL,
    strategy JSON NOT NULL,
    budget_tokens BIGINT,
    budget_flops DOUBLE PRECISION,
    budget_rollouts BIGINT,
    budget_seconds DOUBLE PRECISION,
    confidence_target DOUBLE PRECISION,
    seed BIGINT NOT NULL,
    priority SMALLINT DEFAULT 0 NOT NULL,
    metadata JSON NOT NULL,
    webhook_url TEXT,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    queued_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    lease_owner TEXT,
    lease_expires_at TIMESTAMPTZ,
    fence BIGINT DEFAULT 0 NOT NULL,
    cancel_requested_at TIMESTAMPTZ,
    stop_reason TEXT,
    verdict JSON,
    confidence DOUBLE PRECISION,
    error JSON,
    prompt_tokens BIGINT DEFAULT 0 NOT NULL,
    generated_tokens BIGINT DEFAULT 0 NOT NULL,
    verified_tokens BIGINT DEFAULT 0 NOT NULL,
    flops DOUBLE PRECISION DEFAULT 0 NOT NULL,
    rollouts BIGINT DEFAULT 0 NOT NULL,
    verifier_calls BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT ck_jobs_status
        CHECK (status IN ('queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled')),
    CONSTRAINT ck_jobs_lease_while_in_progress CHECK ((status = 'in_progress') = (lease_owner IS NOT NULL)),
    CONSTRAINT ck_jobs_lease_has_an_end CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT ck_jobs_fence CHECK (fence >= 0 AND (fence = 0) = (started_at IS NULL)),
    CONSTRAINT ck_jobs_in_progress_was_claimed CHECK (status <> 'in_progress' OR fence >= 1),
    CONSTRAINT ck_jobs_final_has_ended_at
        CHECK ((status IN ('completed', 'incomplete', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CONSTRAINT ck_jobs_final_has_stop_reason
        CHECK ((status IN ('completed', 'incomplete', 'failed', 'cancelled')) = (stop_reason IS NOT NULL)),
    CONSTRAINT ck_jobs_final_has_verdict
        CHECK ((status IN ('completed', 'incomplete', 'failed', 'cancelled')) = (verdict IS NOT NULL)),
    CONSTRAINT ck_jobs_final_has_confidence
        CHECK ((status IN ('completed', 'incomplete', 'failed', 'cancelled')) = (confidence IS NOT NULL)),
    CONSTRAINT ck_jobs_stop_reason CHECK (stop_reason IS NULL OR status = CASE stop_reason
            WHEN 'confidence' THEN 'completed'
            WHEN 'complete' THEN 'completed'
            WHEN 'below_confidence' THEN 'incomplete'
            WHEN 'no_answer' THEN 'incomplete'
            WHEN 'budget_tokens' THEN 'incomplete'
            WHEN 'budget_flops' THEN 'incomplete'
            WHEN 'budget_rollouts' THEN 'incomplete'
            WHEN 'budget_seconds' THEN 'incomplete'
            WHEN 'cancelled' THEN 'cancelled'
            WHEN 'engine_failed' THEN 'failed'
            WHEN 'internal_error' THEN 'failed'
            ELSE 'unknown' END),
    CONSTRAINT ck_jobs_failed_has_error CHECK ((status = 'failed') = (error IS NOT NULL)),
    CONSTRAINT ck_jobs_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT ck_jobs_confidence_target_range CHECK (confidence_target BETWEEN 0 AND 1),
    CONSTRAINT ck_jobs_priority_range CHECK (priority BETWEEN -100 AND 100),
    CONSTRAINT ck_jobs_budget_positive
        CHECK (budget_tokens > 0 AND budget_flops > 0 AND budget_rollouts > 0 AND budget_seconds > 0),
    CONSTRAINT ck_jobs_amounts
        CHECK (prompt_tokens >= 0 AND generated_tokens >= 0 AND verified_tokens >= 0
        AND flops >= 0 AND rollouts >= 0 AND verifier_calls >= 0 AND flops < 'Infinity'),
    CONSTRAINT fk_jobs_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_jobs_leases ON jobs (lease_expires_at) WHERE status = 'in_progress';
CREATE INDEX ix_jobs_queued ON jobs (priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX ix_jobs_tenant_id_id ON jobs (tenant_id, id);
CREATE INDEX ix_jobs_tenant_id_status_id ON jobs (tenant_id, status, id);
"""

EVENTS = """
CREATE TABLE events (
    job_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    body JSON NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (job_id, seq),
    CONSTRAINT ck_events_seq CHECK (seq >= 0),
    CONSTRAINT fk_events_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
"""

CALLS = """
CREATE TABLE calls (
    key TEXT NOT NULL,
    job_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens BIGINT DEFAULT 0 NOT NULL,
    generated_tokens BIGINT DEFAULT 0 NOT NULL,
    verified_tokens BIGINT DEFAULT 0 NOT NULL,
    flops DOUBLE PRECISION DEFAULT 0 NOT NULL,
    rollouts BIGINT DEFAULT 0 NOT NULL,
    verifier_calls BIGINT DEFAULT 0 NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_calls PRIMARY KEY (key),
    CONSTRAINT ck_calls_amounts
        CHECK (prompt_tokens >= 0 AND generated_tokens >= 0 AND verified_tokens >= 0
        AND flops >= 0 AND rollouts >= 0 AND verifier_calls >= 0 AND flops < 'Infinity'),
    CONSTRAINT fk_calls_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_calls_job_id ON calls (job_id);
"""

OUTBOX = """
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT ck_outbox_topic CHECK (topic IN ('job.queued', 'job.cancel', 'webhook.due'))
);
CREATE INDEX ix_outbox_key ON outbox (key);
"""

IDEMPOTENCY_KEYS = """
CREATE TABLE idempotency_keys (
    tenant_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    job_id TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (tenant_id, key),
    CONSTRAINT fk_idempotency_keys_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_idempotency_keys_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);
CREATE INDEX ix_idempotency_keys_job_id ON idempotency_keys (job_id);
"""

WEBHOOK_DELIVERIES = """
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    url TEXT NOT NULL,
    body BYTEA NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    next_attempt_at TIMESTAMPTZ DEFAULT clock_timestamp(),
    delivered_at TIMESTAMPTZ,
    last_status_code INTEGER,
    last_error TEXT,
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
    CONSTRAINT ck_webhook_deliveries_state CHECK (state IN ('pending', 'delivered', 'dead')),
    CONSTRAINT ck_webhook_deliveries_pending_is_due_some_time
        CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT ck_webhook_deliveries_delivered_at CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
    CONSTRAINT ck_webhook_deliveries_attempts CHECK (attempts >= 0 AND (state = 'pending' OR attempts >= 1)),
    CONSTRAINT fk_webhook_deliveries_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_webhook_deliveries_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX ix_webhook_deliveries_job_id ON webhook_deliveries (job_id);
"""

WEBHOOK_ATTEMPTS = """
CREATE TABLE webhook_attempts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    delivery_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    status_code INTEGER,
    error TEXT,
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (id),
    CONSTRAINT ck_webhook_attempts_attempt CHECK (attempt >= 1),
    CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY(delivery_id)
        REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_attempts_delivery_id ON webhook_attempts (delivery_id);
"""

TABLES = (
    TENANTS, API_KEYS, JOBS, EVENTS, CALLS, OUTBOX, IDEMPOTENCY_KEYS, WEBHOOK_DELIVERIES, WEBHOOK_ATTEMPTS,
)  # fmt: skip


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "DROP TABLE webhook_attempts, webhook_deliveries, idempotency_keys, outbox, calls, events, jobs, api_keys,"
        " tenants"
    )
