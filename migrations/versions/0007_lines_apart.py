"""Lines of batches stand apart: lists of jobs leave them out, and the index for lists holds none of them.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE jobs
    DROP CONSTRAINT ck_jobs_announces,
    ADD CONSTRAINT ck_jobs_announces CHECK (announces IN ('job', 'response', 'nothing', 'batch'));
UPDATE jobs SET announces = 'batch' FROM batch_lines WHERE batch_lines.job_id = jobs.id;
DROP INDEX ix_jobs_tenant_id_id;
CREATE INDEX ix_jobs_tenant_id_id ON jobs (tenant_id, id) WHERE announces <> 'batch';
"""

DOWN = """
DROP INDEX ix_jobs_tenant_id_id;
CREATE INDEX ix_jobs_tenant_id_id ON jobs (tenant_id, id);
UPDATE jobs SET announces = 'nothing' WHERE announces = 'batch';
ALTER TABLE jobs
    DROP CONSTRAINT ck_jobs_announces,
    ADD CONSTRAINT ck_jobs_announces CHECK (announces IN ('job', 'response', 'nothing'));
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
