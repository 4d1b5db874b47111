"""The outbox: wishes to wake another process, stored in the transaction that gives the reason for them.

Law: a row leaves only after it was published, so that a crash or a flushed Redis repeats a wake-up but never loses one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database

QUEUED = "job.queued"
CANCEL = "job.cancel"
WEBHOOK_DUE = "webhook.due"

_POST = text(
    "WITH posted AS (INSERT INTO outbox (topic, key) SELECT :topic, unnest(CAST(:keys AS text[])))"
    " SELECT pg_notify('deliberate_outbox', '')"
)
_TAKE = text(
    "SELECT id, topic, key FROM outbox WHERE topic <> :without ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_DROP = text("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    id: int
    topic: str
    """`job.queued`, `job.cancel` or `webhook.due`."""
    key: str
    """The job's id, or the delivery's."""


async def post(connection: AsyncConnection, topic: str, keys: Sequence[str]) -> None:
    """Add a row for each key and wake the relay when this transaction commits."""
    if keys:
        await connection.execute(_POST, {"topic": topic, "keys": list(keys)})


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def relay(
        self, publish: Callable[[Sequence[OutboxRow]], Awaitable[None]], limit: int = 500, without: str = ""
    ) -> int:
        """Publish the oldest rows that no other relay holds, `without` those of a topic, then delete them; gives their
        number.

        Whatever `publish` raises leaves the rows where they are.
        """
        async with self._database.transaction() as connection:
            taken = await connection.execute(_TAKE, {"limit": limit, "without": without})
            rows = [OutboxRow(*row) for row in taken]
            if rows:
                await publish(rows)
                await connection.execute(_DROP, {"ids": [row.id for row in rows]})
        return len(rows)

    async def wait(self, timeout_s: float) -> None:
        """Return when something was posted, or after `timeout_s`. Raises Unavailable when the database is lost."""
        await self._database.listener.wait(timeout_s)
