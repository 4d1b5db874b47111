"""The secret that signs the webhooks of a tenant's jobs (those with a `webhook_url` of their own).

Law: after a rotation with overlap both secrets sign until the old one's time is over; one request rotates once.
"""

from __future__ import annotations

from sqlalchemy import text

from domain.attempt import Attempt
from domain.errors import NotFound
from domain.ids import TenantId
from storage.audit import note
from storage.database import Database
from storage.endpoints import OVERLAP_HOURS
from storage.idempotency import take
from storage.tokens import fresh_webhook_secret

ROTATION = "tenant_secret_rotation"
"""What an idempotency key that led to a new secret leads to."""

_READ = text("SELECT webhook_secret FROM tenants WHERE id = :tenant")
_LOCK = text("SELECT webhook_secret FROM tenants WHERE id = :tenant FOR NO KEY UPDATE")
_ROTATE = text(
    f"""
    UPDATE tenants SET webhook_secret = :secret,
        previous_webhook_secret = CASE WHEN :overlap THEN webhook_secret END,
        previous_webhook_secret_until =
            CASE WHEN :overlap THEN clock_timestamp() + interval '{OVERLAP_HOURS} hours' END
    WHERE id = :tenant
    """
)


class TenantSecret:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, tenant: TenantId) -> str:
        """`whsec_…`. Raises NotFound."""
        async with self._database.transaction() as connection:
            secret: str | None = (await connection.execute(_READ, {"tenant": tenant})).scalar()
        if secret is None:
            raise NotFound("no such tenant")
        return secret

    async def rotate(
        self, tenant: TenantId, actor: str, *, overlap: bool, attempt: Attempt | None = None
    ) -> tuple[str, bool]:
        """The new secret; with `overlap` the old one signs too for 24 hours. True: an earlier attempt at this request
        had made it.

        Raises NotFound, IdempotencyConflict and RequestInFlight.
        """
        fresh = fresh_webhook_secret()
        async with self._database.transaction() as connection:
            before: str | None = (await connection.execute(_LOCK, {"tenant": tenant})).scalar()
            if before is None:
                raise NotFound("no such tenant")
            if attempt is not None and await take(connection, attempt, ROTATION, tenant) is not None:
                return before, True
            await connection.execute(_ROTATE, {"tenant": tenant, "secret": fresh, "overlap": overlap})
            await note(connection, actor, "webhook_secret.rotated", tenant, tenant, overlap=overlap)
            return fresh, False
