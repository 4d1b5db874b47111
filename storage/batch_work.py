"""One turn of work on one batch, whatever state it is in; many control processes may take turns.

Laws: turns of one batch exclude each other by an advisory lock that ends with its transaction, so that a process that
dies leaves nothing locked; every transaction is short and repeats safely.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch import BatchStatus
from domain.dialects import Dialects
from storage.batch_dispatch import EXHAUSTED, start_lines
from storage.batch_intake import Stopped, read_part
from storage.batch_results import finish, write_results
from storage.batch_stopping import WHY_STOPPED, end_orphans, end_waiting, expire, stop_running
from storage.database import Database

_OPEN = text(
    "SELECT id FROM batches WHERE NOT (status IN ('failed', 'completed', 'expired', 'cancelled')) ORDER BY created_at"
)
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 5))")
_READ = text("SELECT * FROM batches WHERE id = :id")


@dataclass(frozen=True, slots=True)
class _Turn:
    connection: AsyncConnection
    batch: RowMapping


class BatchWork:
    def __init__(self, database: Database, dialects: Dialects, window: int) -> None:
        """`window`: most lines of one batch that run at once."""
        self._database, self._dialects, self._window = database, dialects, window

    async def open(self) -> list[str]:
        """The batches that have not ended, oldest first."""
        async with self._database.transaction() as connection:
            return [row.id for row in await connection.execute(_OPEN)]

    async def turn(self, batch_id: str) -> bool:
        """Do what can be done now; whether there may be more at once. Raises Unavailable."""
        try:
            return await self._turn(batch_id)
        except Stopped:
            return True

    async def _turn(self, batch_id: str) -> bool:
        async with self._alone(batch_id) as turn:
            if turn is None:
                return False
            status, stopping = BatchStatus(turn.batch["status"]), turn.batch["stopping"]
            if status is BatchStatus.VALIDATING:
                await read_part(turn.connection, turn.batch, self._dialects)
                return True
            if status is BatchStatus.IN_PROGRESS and stopping is None and await expire(turn.connection, turn.batch):
                return True
        if stopping is not None:
            await self._stop(batch_id, stopping)
            started = 0
        else:
            started = await self._start(batch_id)
        written = await self._write(batch_id)
        return bool(started or written)

    async def mend(self, batch_id: str) -> None:
        """Seldom needed: answer lines whose job is gone."""
        async with self._alone(batch_id) as turn:
            if turn is not None:
                await end_orphans(turn.connection, batch_id)

    async def _start(self, batch_id: str) -> int:
        async with self._alone(batch_id) as turn:
            if turn is None or turn.batch["status"] != "in_progress" or turn.batch["paused_at"] is not None:
                return 0
            started = await start_lines(turn.connection, turn.batch, self._dialects, self._window)
            if started.dry:
                return await end_waiting(turn.connection, batch_id, EXHAUSTED)
            return started.lines

    async def _stop(self, batch_id: str, why: str) -> None:
        async with self._alone(batch_id) as turn:
            if turn is not None:
                await end_waiting(turn.connection, batch_id, WHY_STOPPED[why])
        async with self._database.transaction() as connection:
            await stop_running(connection, batch_id)

    async def _write(self, batch_id: str) -> int:
        async with self._alone(batch_id) as turn:
            if turn is None:
                return 0
            written = await write_results(turn.connection, turn.batch, self._dialects)
        if not written:
            async with self._alone(batch_id) as turn:
                if turn is not None:
                    await finish(turn.connection, batch_id)
        return written

    @asynccontextmanager
    async def _alone(self, batch_id: str) -> AsyncIterator[_Turn | None]:
        """The batch's row, in a transaction that no other turn of this batch overlaps; None: another has the turn."""
        async with self._database.transaction() as connection:
            if not (await connection.execute(_LOCK, {"id": batch_id})).scalar():
                yield None
                return
            row = (await connection.execute(_READ, {"id": batch_id})).mappings().first()
            yield None if row is None else _Turn(connection, row)
