"""Tenants' limits, keys with scopes and an end, idempotency of every POST, usage by day, the audit log, erasure."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LIMITS = """
ALTER TABLE tenants
    ADD COLUMN weight DOUBLE PRECISION DEFAULT 1 NOT NULL,
    ADD COLUMN max_running INTEGER,
    ADD COLUMN max_queued INTEGER,
    ADD COLUMN tokens_per_day BIGINT,
    ADD COLUMN cost_per_day DOUBLE PRECISION,
    ADD COLUMN requests_per_minute INTEGER,
    ADD COLUMN retention_days INTEGER,
    ADD CONSTRAINT ck_tenants_weight CHECK (weight > 0 AND weight <= 1000),
    ADD CONSTRAINT ck_tenants_limits CHECK (max_running >= 0 AND max_queued >= 0 AND tokens_per_day >= 0
        AND cost_per_day >= 0 AND cost_per_day < 'Infinity' AND requests_per_minute >= 1 AND retention_days >= 0);
"""

# Keys of before could do all that there was; those that a start of the service lets in are the operator's.
KEYS = """
ALTER TABLE api_keys
    ADD COLUMN scopes TEXT[],
    ADD COLUMN source TEXT DEFAULT 'created' NOT NULL,
    ADD COLUMN expires_at TIMESTAMPTZ,
    ADD COLUMN previous_hash BYTEA,
    ADD COLUMN previous_until TIMESTAMPTZ,
    ADD COLUMN last_used_at TIMESTAMPTZ,
    ADD COLUMN revoked_by TEXT;
UPDATE api_keys SET source = 'environment' WHERE label = 'DELIBERATE_API_KEYS';
UPDATE api_keys SET source = 'home' WHERE label = 'deliberate up';
UPDATE api_keys SET revoked_by = 'unknown' WHERE revoked_at IS NOT NULL;
UPDATE api_keys SET scopes = ARRAY['jobs:read', 'jobs:write', 'files:read', 'files:write', 'batches:read',
    'batches:write', 'webhooks:read', 'webhooks:write']
    || CASE WHEN source = 'created' THEN CAST(ARRAY[] AS TEXT[]) ELSE ARRAY['admin'] END;
ALTER TABLE api_keys
    ALTER COLUMN scopes SET NOT NULL,
    ADD CONSTRAINT ck_api_keys_scopes CHECK (cardinality(scopes) > 0),
    ADD CONSTRAINT ck_api_keys_source CHECK (source IN ('created', 'environment', 'home')),
    ADD CONSTRAINT ck_api_keys_revoked_by CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    ADD CONSTRAINT ck_api_keys_previous CHECK ((previous_hash IS NULL) = (previous_until IS NULL)
        AND octet_length(previous_hash) = 32);
"""

IDEMPOTENCY = """
ALTER TABLE idempotency_keys
    ADD COLUMN operation TEXT,
    ADD COLUMN kind TEXT,
    ADD COLUMN response JSON,
    DROP CONSTRAINT fk_idempotency_keys_job_id;
ALTER TABLE idempotency_keys RENAME COLUMN job_id TO resource_id;
UPDATE idempotency_keys SET operation = 'POST /v1/reasoning/jobs', kind = 'job';
ALTER TABLE idempotency_keys
    ALTER COLUMN operation SET NOT NULL,
    ALTER COLUMN kind SET NOT NULL,
    ALTER COLUMN resource_id DROP NOT NULL;
DROP INDEX ix_idempotency_keys_job_id;
CREATE INDEX ix_idempotency_keys_resource_id ON idempotency_keys (resource_id);
"""

RECENT_REQUESTS = """
CREATE TABLE recent_requests (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    kind TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    retries SMALLINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_recent_requests PRIMARY KEY (id),
    CONSTRAINT ck_recent_requests_retries CHECK (retries >= 0),
    CONSTRAINT fk_recent_requests_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_recent_requests_tenant_id_fingerprint ON recent_requests (tenant_id, fingerprint);
CREATE INDEX ix_recent_requests_created_at ON recent_requests (created_at);
CREATE INDEX ix_recent_requests_resource_id ON recent_requests (resource_id);
"""

# Without a foreign key: what was used outlives the jobs, and the tenant.
USAGE_DAYS = """
CREATE TABLE usage_days (
    tenant_id TEXT NOT NULL,
    day DATE NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    cost NUMERIC DEFAULT 0 NOT NULL,
    prompt_tokens BIGINT DEFAULT 0 NOT NULL,
    generated_tokens BIGINT DEFAULT 0 NOT NULL,
    verified_tokens BIGINT DEFAULT 0 NOT NULL,
    flops DOUBLE PRECISION DEFAULT 0 NOT NULL,
    rollouts BIGINT DEFAULT 0 NOT NULL,
    verifier_calls BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_usage_days PRIMARY KEY (tenant_id, day),
    CONSTRAINT ck_usage_days_cost CHECK (cost >= 0 AND calls >= 0),
    CONSTRAINT ck_usage_days_amounts
        CHECK (prompt_tokens >= 0 AND generated_tokens >= 0 AND verified_tokens >= 0
        AND flops >= 0 AND rollouts >= 0 AND verifier_calls >= 0 AND flops < 'Infinity')
);
"""

AUDIT_LOG = """
CREATE TABLE audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    tenant_id TEXT,
    object_id TEXT,
    details JSON NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id)
);
CREATE INDEX ix_audit_log_tenant_id_id ON audit_log (tenant_id, id);
"""

# The claim now asks each tenant's own queue.
JOBS = """
ALTER TABLE jobs ADD COLUMN erase_requested_at TIMESTAMPTZ;
DROP INDEX ix_jobs_queued;
CREATE INDEX ix_jobs_queued ON jobs (tenant_id, priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX ix_jobs_erasing ON jobs (erase_requested_at) WHERE erase_requested_at IS NOT NULL;
"""


def upgrade() -> None:
    for statements in (LIMITS, KEYS, IDEMPOTENCY, RECENT_REQUESTS, USAGE_DAYS, AUDIT_LOG, JOBS):
        op.execute(statements)


def downgrade() -> None:
    """Keys of other things than jobs, and of jobs that are gone, mean nothing to the earlier program."""
    op.execute(
        """
        DROP TABLE recent_requests, usage_days, audit_log;
        DROP INDEX ix_jobs_erasing;
        DROP INDEX ix_jobs_queued;
        ALTER TABLE jobs DROP COLUMN erase_requested_at;
        CREATE INDEX ix_jobs_queued ON jobs (priority DESC, created_at, id) WHERE status = 'queued';
        DELETE FROM idempotency_keys WHERE kind <> 'job' OR resource_id IS NULL
            OR NOT EXISTS (SELECT FROM jobs WHERE jobs.id = resource_id);
        DROP INDEX ix_idempotency_keys_resource_id;
        ALTER TABLE idempotency_keys DROP COLUMN operation, DROP COLUMN kind, DROP COLUMN response,
            ALTER COLUMN resource_id SET NOT NULL;
        ALTER TABLE idempotency_keys RENAME COLUMN resource_id TO job_id;
        ALTER TABLE idempotency_keys ADD CONSTRAINT fk_idempotency_keys_job_id FOREIGN KEY(job_id)
            REFERENCES jobs (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX ix_idempotency_keys_job_id ON idempotency_keys (job_id);
        ALTER TABLE api_keys DROP COLUMN scopes, DROP COLUMN source, DROP COLUMN expires_at,
            DROP COLUMN previous_hash, DROP COLUMN previous_until, DROP COLUMN last_used_at, DROP COLUMN revoked_by;
        ALTER TABLE tenants DROP COLUMN weight, DROP COLUMN max_running, DROP COLUMN max_queued,
            DROP COLUMN tokens_per_day, DROP COLUMN cost_per_day, DROP COLUMN requests_per_minute,
            DROP COLUMN retention_days;
        """
    )
