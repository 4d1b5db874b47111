"""What the OpenAI-compatible routes keep beside a job: how it was asked, and what is shown of it."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint, text

from storage.columns import check, key, one_of, owner
from storage.tables.metadata import metadata

RESPONSE_ENDPOINTS = ("responses", "chat.completions")

responses = Table(
    "responses",
    metadata,
    key(),
    owner("tenants", "tenant_id"),
    owner("jobs", "job_id"),
    Column("endpoint", Text, nullable=False),
    Column("model", Text, nullable=False),
    # The whole conversation that was put before the policy, as items with ids; without the instructions.
    Column("items", JSON, nullable=False),
    # The parameters that the response repeats.
    Column("request", JSON, nullable=False),
    Column("stored", Boolean, nullable=False),
    # How often a caller began to wait for the end: who leaves cancels the job only if nobody came after them.
    Column("attachments", Integer, nullable=False, server_default=text("0")),
    # Taken from the trace once the job has ended: the solutions that are the output, and their tokens.
    Column("shown", JSON(none_as_null=True)),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("job_id"),
    check("endpoint", one_of("endpoint", RESPONSE_ENDPOINTS)),
    check("attachments", "attachments >= 0"),
    Index("ix_responses_not_stored", "job_id", postgresql_where=text("NOT stored")),
)
