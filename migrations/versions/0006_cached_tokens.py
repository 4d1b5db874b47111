"""Tokens that a job had had read before: those that FLOPs leave out. Amounts of before had none.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("jobs", "calls", "usage_days", "batches")

BEFORE = """prompt_tokens >= 0 AND generated_tokens >= 0 AND verified_tokens >= 0 AND flops >= 0 AND rollouts >= 0
            AND verifier_calls >= 0"""
CACHED = "cached_prompt_tokens >= 0 AND cached_verified_tokens >= 0"

ADD = """
ALTER TABLE {table}
    ADD COLUMN cached_prompt_tokens BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN cached_verified_tokens BIGINT DEFAULT 0 NOT NULL,
    DROP CONSTRAINT ck_{table}_amounts,
    ADD CONSTRAINT ck_{table}_amounts
        CHECK ({before} AND {cached} AND flops < 'Infinity');
"""

DROP = """
ALTER TABLE {table}
    DROP CONSTRAINT ck_{table}_amounts,
    DROP COLUMN cached_prompt_tokens, DROP COLUMN cached_verified_tokens,
    ADD CONSTRAINT ck_{table}_amounts
        CHECK ({before} AND flops < 'Infinity');
"""


def upgrade() -> None:
    for table in TABLES:
        op.execute(ADD.format(table=table, before=BEFORE, cached=CACHED))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(DROP.format(table=table, before=BEFORE))
