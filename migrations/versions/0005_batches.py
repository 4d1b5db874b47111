"""Files in chunks, batches and their lines.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FILES = """
CREATE TABLE files (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    status TEXT DEFAULT 'uploading' NOT NULL,
    bytes BIGINT DEFAULT 0 NOT NULL,
    lines BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMPTZ,
    CONSTRAINT pk_files PRIMARY KEY (id),
    CONSTRAINT ck_files_status CHECK (status IN ('uploading', 'processed')),
    CONSTRAINT ck_files_sizes CHECK (bytes >= 0 AND lines >= 0),
    CONSTRAINT fk_files_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_files_expires_at ON files (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX ix_files_tenant_id_id ON files (tenant_id, id);
CREATE INDEX ix_files_uploading ON files (created_at) WHERE status = 'uploading';
"""

FILE_CHUNKS = """
CREATE TABLE file_chunks (
    file_id TEXT NOT NULL,
    start BIGINT NOT NULL,
    data BYTEA NOT NULL,
    CONSTRAINT pk_file_chunks PRIMARY KEY (file_id, start),
    CONSTRAINT ck_file_chunks_start CHECK (start >= 0),
    CONSTRAINT ck_file_chunks_size CHECK (octet_length(data) BETWEEN 1 AND 262144),
    CONSTRAINT fk_file_chunks_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON DELETE CASCADE
);
"""

BATCHES = """
CREATE TABLE batches (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    completion_window TEXT NOT NULL,
    status TEXT DEFAULT 'validating' NOT NULL,
    input_file_id TEXT NOT NULL,
    output_file_id TEXT,
    error_file_id TEXT,
    output_expires_s INTEGER,
    on_invalid_line TEXT NOT NULL,
    metadata JSON NOT NULL,
    defaults JSON NOT NULL,
    seed BIGINT NOT NULL,
    priority SMALLINT NOT NULL,
    budget_tokens BIGINT,
    budget_flops DOUBLE PRECISION,
    budget_rollouts BIGINT,
    reserved_tokens BIGINT DEFAULT 0 NOT NULL,
    reserved_flops DOUBLE PRECISION DEFAULT 0 NOT NULL,
    reserved_rollouts BIGINT DEFAULT 0 NOT NULL,
    prompt_tokens BIGINT DEFAULT 0 NOT NULL,
    generated_tokens BIGINT DEFAULT 0 NOT NULL,
    verified_tokens BIGINT DEFAULT 0 NOT NULL,
    flops DOUBLE PRECISION DEFAULT 0 NOT NULL,
    rollouts BIGINT DEFAULT 0 NOT NULL,
    verifier_calls BIGINT DEFAULT 0 NOT NULL,
    read_bytes BIGINT DEFAULT 0 NOT NULL,
    total INTEGER DEFAULT 0 NOT NULL,
    running INTEGER DEFAULT 0 NOT NULL,
    completed INTEGER DEFAULT 0 NOT NULL,
    failed INTEGER DEFAULT 0 NOT NULL,
    ran INTEGER DEFAULT 0 NOT NULL,
    written INTEGER DEFAULT 0 NOT NULL,
    invalid INTEGER DEFAULT 0 NOT NULL,
    stopping TEXT,
    fault JSON,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    in_progress_at TIMESTAMPTZ,
    paused_at TIMESTAMPTZ,
    erase_requested_at TIMESTAMPTZ,
    finalizing_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    failed_at TIMESTAMPTZ,
    expired_at TIMESTAMPTZ,
    cancelling_at TIMESTAMPTZ,
    cancelled_at TIMESTAMPTZ,
    CONSTRAINT pk_batches PRIMARY KEY (id),
    CONSTRAINT ck_batches_status
        CHECK (status IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired',
            'cancelling', 'cancelled')),
    CONSTRAINT ck_batches_on_invalid_line CHECK (on_invalid_line IN ('skip', 'fail')),
    CONSTRAINT ck_batches_stopping CHECK (stopping IN ('expired', 'cancelled')),
    CONSTRAINT ck_batches_priority_range CHECK (priority BETWEEN -100 AND 100),
    CONSTRAINT ck_batches_counts
        CHECK (running >= 0 AND completed >= 0 AND failed >= 0 AND written >= 0 AND ran >= 0 AND invalid >=
            0),
    CONSTRAINT ck_batches_counts_fit CHECK (completed + failed + running <= total AND written <= completed + failed),
    CONSTRAINT ck_batches_reserved CHECK (reserved_tokens >= 0 AND reserved_rollouts >= 0),
    CONSTRAINT ck_batches_budget_positive CHECK (budget_tokens > 0 AND budget_flops > 0 AND budget_rollouts > 0),
    CONSTRAINT ck_batches_final_is_whole
        CHECK (status NOT IN ('completed', 'expired', 'cancelled') OR written = total),
    CONSTRAINT ck_batches_in_progress_at CHECK (status <> 'in_progress' OR in_progress_at IS NOT NULL),
    CONSTRAINT ck_batches_finalizing_at CHECK (status <> 'finalizing' OR finalizing_at IS NOT NULL),
    CONSTRAINT ck_batches_completed_at CHECK (status <> 'completed' OR completed_at IS NOT NULL),
    CONSTRAINT ck_batches_failed_at CHECK (status <> 'failed' OR failed_at IS NOT NULL),
    CONSTRAINT ck_batches_expired_at CHECK (status <> 'expired' OR expired_at IS NOT NULL),
    CONSTRAINT ck_batches_cancelling_at CHECK (status <> 'cancelling' OR cancelling_at IS NOT NULL),
    CONSTRAINT ck_batches_cancelled_at CHECK (status <> 'cancelled' OR cancelled_at IS NOT NULL),
    CONSTRAINT ck_batches_amounts
        CHECK (prompt_tokens >= 0 AND generated_tokens >= 0 AND verified_tokens >= 0 AND flops >= 0 AND
            rollouts >= 0 AND verifier_calls >= 0 AND flops < 'Infinity'),
    CONSTRAINT fk_batches_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_batches_output_file_id FOREIGN KEY(output_file_id) REFERENCES files (id) ON DELETE SET NULL,
    CONSTRAINT fk_batches_error_file_id FOREIGN KEY(error_file_id) REFERENCES files (id) ON DELETE SET NULL
);
CREATE INDEX ix_batches_erase_requested_at ON batches (erase_requested_at) WHERE erase_requested_at IS NOT NULL;
CREATE INDEX ix_batches_input_file_id ON batches (input_file_id);
CREATE INDEX ix_batches_open ON batches (created_at)
    WHERE NOT (status IN ('failed', 'completed', 'expired', 'cancelled'));
CREATE INDEX ix_batches_tenant_id_id ON batches (tenant_id, id);
"""

BATCH_LINES = """
CREATE TABLE batch_lines (
    batch_id TEXT NOT NULL,
    line INTEGER NOT NULL,
    custom_id TEXT,
    start BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    ok BOOLEAN,
    job_id TEXT,
    fault JSON,
    invalid BOOLEAN DEFAULT false NOT NULL,
    result_start BIGINT,
    result_bytes BIGINT,
    CONSTRAINT pk_batch_lines PRIMARY KEY (batch_id, line),
    CONSTRAINT ck_batch_lines_state CHECK (state IN ('waiting', 'running', 'ended', 'written')),
    CONSTRAINT ck_batch_lines_ended_is_ok_or_not CHECK ((state IN ('ended', 'written')) = (ok IS NOT NULL)),
    CONSTRAINT ck_batch_lines_line CHECK (line >= 1),
    CONSTRAINT ck_batch_lines_written_has_a_place
        CHECK ((state = 'written') = (result_start IS NOT NULL AND result_bytes IS NOT NULL)),
    CONSTRAINT ck_batch_lines_invalid_has_a_fault CHECK (NOT invalid OR fault IS NOT NULL),
    CONSTRAINT fk_batch_lines_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT fk_batch_lines_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
CREATE INDEX ix_batch_lines_invalid ON batch_lines (batch_id, line) WHERE invalid;
CREATE INDEX ix_batch_lines_open ON batch_lines (batch_id, state, line) WHERE state <> 'written';
CREATE UNIQUE INDEX uq_batch_lines_custom_id ON batch_lines (batch_id, custom_id) WHERE fault IS NULL;
CREATE UNIQUE INDEX uq_batch_lines_job_id ON batch_lines (job_id);
"""

TABLES = (FILES, FILE_CHUNKS, BATCHES, BATCH_LINES)


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP TABLE batch_lines, batches, file_chunks, files")
