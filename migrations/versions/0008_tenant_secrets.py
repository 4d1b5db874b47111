"""A tenant's webhook secret can be changed, with a time in which the old one signs too.

Literal SQL: a revision stays what it was, whatever `storage.tables` becomes later.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE tenants
    ADD COLUMN previous_webhook_secret TEXT,
    ADD COLUMN previous_webhook_secret_until TIMESTAMPTZ,
    ADD CONSTRAINT ck_tenants_previous_webhook_secret_has_an_end
        CHECK ((previous_webhook_secret IS NULL) = (previous_webhook_secret_until IS NULL));
"""

DOWN = """
ALTER TABLE tenants
    DROP CONSTRAINT ck_tenants_previous_webhook_secret_has_an_end,
    DROP COLUMN previous_webhook_secret, DROP COLUMN previous_webhook_secret_until;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
