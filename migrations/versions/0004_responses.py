"""What the OpenAI-compatible routes keep beside a job."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RESPONSES = """
CREATE TABLE responses (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    items JSON NOT NULL,
    request JSON NOT NULL,
    stored BOOLEAN NOT NULL,
    attachments INTEGER DEFAULT 0 NOT NULL,
    shown JSON,
    CONSTRAINT pk_responses PRIMARY KEY (id),
    CONSTRAINT uq_responses_job_id UNIQUE (job_id),
    CONSTRAINT ck_responses_endpoint CHECK (endpoint IN ('responses', 'chat.completions')),
    CONSTRAINT ck_responses_attachments CHECK (attachments >= 0),
    CONSTRAINT fk_responses_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_responses_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_responses_not_stored ON responses (job_id) WHERE NOT stored;
"""


def upgrade() -> None:
    op.execute(RESPONSES)


def downgrade() -> None:
    op.execute("DROP TABLE responses")
