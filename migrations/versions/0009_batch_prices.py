"""A batch knows the mean price that its ended lines were searched at: sums of logarithms, and of how many.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE batches
    ADD COLUMN priced INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN log_prices DOUBLE PRECISION DEFAULT 0 NOT NULL;
"""

DOWN = "ALTER TABLE batches DROP COLUMN priced, DROP COLUMN log_prices;"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
