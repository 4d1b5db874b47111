"""Webhook endpoints and their deliveries; labels, deadlines and event filters of jobs.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ENDPOINTS = """
CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    event_types TEXT[] NOT NULL,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_secret_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    failing_since TIMESTAMPTZ,
    disabled_at TIMESTAMPTZ,
    disabled_reason TEXT,
    CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id),
    CONSTRAINT ck_webhook_endpoints_event_types CHECK (cardinality(event_types) >= 1),
    CONSTRAINT ck_webhook_endpoints_previous_secret_has_an_end
        CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)),
    CONSTRAINT ck_webhook_endpoints_disabled_has_a_reason
        CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT ck_webhook_endpoints_disabled_reason CHECK (disabled_reason IN ('gone', 'failing', 'owner')),
    CONSTRAINT fk_webhook_endpoints_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_endpoints_tenant_id_id ON webhook_endpoints (tenant_id, id);
"""

DELIVERIES = """
ALTER TABLE webhook_deliveries
    ADD COLUMN endpoint_id TEXT,
    ADD COLUMN event_type TEXT,
    ALTER COLUMN job_id DROP NOT NULL,
    DROP CONSTRAINT ck_webhook_deliveries_attempts,
    ADD CONSTRAINT ck_webhook_deliveries_attempts
        CHECK (attempts >= 0 AND (state <> 'delivered' OR attempts >= 1)),
    ADD CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY(endpoint_id)
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE;
UPDATE webhook_deliveries SET event_type = 'job.' || jobs.status FROM jobs WHERE jobs.id = job_id;
ALTER TABLE webhook_deliveries ALTER COLUMN event_type SET NOT NULL;
CREATE INDEX ix_webhook_deliveries_endpoint_id_id ON webhook_deliveries (endpoint_id, id);
"""

REASONS = """
            WHEN 'confidence' THEN 'completed'
            WHEN 'complete' THEN 'completed'
            WHEN 'below_confidence' THEN 'incomplete'
            WHEN 'no_answer' THEN 'incomplete'
            WHEN 'budget_tokens' THEN 'incomplete'
            WHEN 'budget_flops' THEN 'incomplete'
            WHEN 'budget_rollouts' THEN 'incomplete'
            WHEN 'budget_seconds' THEN 'incomplete'{deadline}
            WHEN 'cancelled' THEN 'cancelled'
            WHEN 'engine_failed' THEN 'failed'
            WHEN 'internal_error' THEN 'failed'
            ELSE 'unknown' END"""
WITH_DEADLINE = REASONS.format(deadline="\n            WHEN 'deadline' THEN 'incomplete'")

JOBS = f"""
ALTER TABLE jobs
    ADD COLUMN webhook_events TEXT[],
    ADD COLUMN announces TEXT DEFAULT 'job' NOT NULL,
    ADD COLUMN labels TEXT[] DEFAULT '{{}}' NOT NULL,
    ADD COLUMN deadline TIMESTAMPTZ,
    ADD CONSTRAINT ck_jobs_announces CHECK (announces IN ('job', 'response', 'nothing')),
    DROP CONSTRAINT ck_jobs_stop_reason,
    ADD CONSTRAINT ck_jobs_stop_reason CHECK (stop_reason IS NULL OR status = CASE stop_reason {WITH_DEADLINE});
CREATE INDEX ix_jobs_deadline ON jobs (deadline) WHERE status = 'queued' AND deadline IS NOT NULL;
CREATE INDEX ix_jobs_labels ON jobs USING gin (labels) WHERE labels <> '{{}}';
CREATE INDEX ix_jobs_tenant_id_ended_at ON jobs (tenant_id, ended_at) WHERE ended_at IS NOT NULL;
"""

# What the older tables can't say is said as nearly as they can: a job that its deadline ended ran out of time.
BACK = f"""
DELETE FROM webhook_deliveries WHERE endpoint_id IS NOT NULL OR job_id IS NULL;
UPDATE webhook_deliveries SET attempts = 1 WHERE state = 'dead' AND attempts = 0;
DROP INDEX ix_webhook_deliveries_endpoint_id_id;
ALTER TABLE webhook_deliveries
    DROP COLUMN endpoint_id, DROP COLUMN event_type, ALTER COLUMN job_id SET NOT NULL,
    DROP CONSTRAINT ck_webhook_deliveries_attempts,
    ADD CONSTRAINT ck_webhook_deliveries_attempts CHECK (attempts >= 0 AND (state = 'pending' OR attempts >= 1));
DROP TABLE webhook_endpoints;
UPDATE jobs SET stop_reason = 'budget_seconds' WHERE stop_reason = 'deadline';
ALTER TABLE jobs
    DROP COLUMN webhook_events, DROP COLUMN announces, DROP COLUMN labels, DROP COLUMN deadline,
    DROP CONSTRAINT ck_jobs_stop_reason,
    ADD CONSTRAINT ck_jobs_stop_reason
        CHECK (stop_reason IS NULL OR status = CASE stop_reason {REASONS.format(deadline="")});
DROP INDEX ix_jobs_tenant_id_ended_at;
"""


def upgrade() -> None:
    for statements in (ENDPOINTS, DELIVERIES, JOBS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(BACK)
