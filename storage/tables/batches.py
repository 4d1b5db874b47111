"""Files in chunks, batches and their lines.

Law: a line is one row whatever happens to it, and `batch_lines.job_id` is unique: a line has at most one job."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from domain.batch import FINAL_BATCH, BatchStatus, OnInvalidLine
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from storage.columns import amounts, check, key, later, moment, no_negative_amount, one_of, owner
from storage.tables.metadata import metadata

FILE_STATES = ("uploading", "processed")
CHUNK_BYTES = 256 * 1024
LINE_STATES = ("waiting", "running", "ended", "written")

files = Table(
    "files",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'uploading'")),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("lines", BigInteger, nullable=False, server_default=text("0")),
    moment("created_at"),
    later("expires_at"),
    PrimaryKeyConstraint("id"),
    check("status", one_of("status", FILE_STATES)),
    check("sizes", "bytes >= 0 AND lines >= 0"),
    Index("ix_files_tenant_id_id", "tenant_id", "id"),
    Index("ix_files_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("ix_files_uploading", "created_at", postgresql_where=text("status = 'uploading'")),
)

file_chunks = Table(
    "file_chunks",
    metadata,
    owner("files", "file_id"),
    Column("start", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("file_id", "start"),
    check("start", "start >= 0"),
    check("size", f"octet_length(data) BETWEEN 1 AND {CHUNK_BYTES}"),
)


def _counter(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


batches = Table(
    "batches",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    Column("endpoint", Text, nullable=False),
    Column("completion_window", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'validating'")),
    Column("input_file_id", Text, nullable=False),
    Column("output_file_id", Text, ForeignKey("files.id", ondelete="SET NULL")),
    Column("error_file_id", Text, ForeignKey("files.id", ondelete="SET NULL")),
    Column("output_expires_s", Integer),
    Column("on_invalid_line", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("defaults", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("budget_tokens", BigInteger),
    Column("budget_flops", Double),
    Column("budget_rollouts", BigInteger),
    Column("reserved_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved_flops", Double, nullable=False, server_default=text("0")),
    Column("reserved_rollouts", BigInteger, nullable=False, server_default=text("0")),
    *amounts(),
    Column("read_bytes", BigInteger, nullable=False, server_default=text("0")),
    *(_counter(name) for name in ("total", "running", "completed", "failed", "ran", "written", "invalid", "priced")),
    Column("log_prices", Double, nullable=False, server_default=text("0")),
    Column("stopping", Text),
    Column("fault", JSON(none_as_null=True)),
    moment("created_at"),
    Column("expires_at", later("expires_at").type, nullable=False),
    later("in_progress_at"),
    later("paused_at"),
    later("erase_requested_at"),
    later("finalizing_at"),
    later("completed_at"),
    later("failed_at"),
    later("expired_at"),
    later("cancelling_at"),
    later("cancelled_at"),
    PrimaryKeyConstraint("id"),
    check("status", one_of("status", BatchStatus)),
    check("on_invalid_line", one_of("on_invalid_line", OnInvalidLine)),
    check("stopping", one_of("stopping", ("expired", "cancelled"))),
    check("priority_range", f"priority BETWEEN {LOWEST_PRIORITY} AND {HIGHEST_PRIORITY}"),
    check("counts", "running >= 0 AND completed >= 0 AND failed >= 0 AND written >= 0 AND ran >= 0 AND invalid >= 0"),
    check("counts_fit", "completed + failed + running <= total AND written <= completed + failed"),
    check("reserved", "reserved_tokens >= 0 AND reserved_rollouts >= 0"),
    check("budget_positive", "budget_tokens > 0 AND budget_flops > 0 AND budget_rollouts > 0"),
    check("final_is_whole", "status NOT IN ('completed', 'expired', 'cancelled') OR written = total"),
    *(check(f"{name}_at", f"status <> '{name}' OR {name}_at IS NOT NULL") for name in
      ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")),
    no_negative_amount(),
    Index("ix_batches_tenant_id_id", "tenant_id", "id"),
    Index(
        "ix_batches_open",
        "created_at",
        postgresql_where=text(f"NOT ({one_of('status', [s for s in BatchStatus if s in FINAL_BATCH])})"),
    ),
    Index("ix_batches_input_file_id", "input_file_id"),
    Index(
        "ix_batches_erase_requested_at", "erase_requested_at", postgresql_where=text("erase_requested_at IS NOT NULL")
    ),
)  # fmt: skip

batch_lines = Table(
    "batch_lines",
    metadata,
    owner("batches", "batch_id"),
    Column("line", Integer, nullable=False),
    Column("custom_id", Text),
    Column("start", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("ok", Boolean),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("fault", JSON(none_as_null=True)),
    Column("invalid", Boolean, nullable=False, server_default=text("false")),
    Column("result_start", BigInteger),
    Column("result_bytes", BigInteger),
    PrimaryKeyConstraint("batch_id", "line"),
    check("state", one_of("state", LINE_STATES)),
    check("ended_is_ok_or_not", "(state IN ('ended', 'written')) = (ok IS NOT NULL)"),
    check("line", "line >= 1"),
    check("written_has_a_place", "(state = 'written') = (result_start IS NOT NULL AND result_bytes IS NOT NULL)"),
    check("invalid_has_a_fault", "NOT invalid OR fault IS NOT NULL"),
    Index(
        "uq_batch_lines_custom_id",
        "batch_id",
        "custom_id",
        unique=True,
        postgresql_where=text("fault IS NULL"),
    ),
    Index("uq_batch_lines_job_id", "job_id", unique=True),
    Index("ix_batch_lines_invalid", "batch_id", "line", postgresql_where=text("invalid")),
    # What is still to be done, whatever number of lines is done.
    Index("ix_batch_lines_open", "batch_id", "state", "line", postgresql_where=text("state <> 'written'")),
)
