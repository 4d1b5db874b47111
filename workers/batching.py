"""The loop of a control process that moves batches on: reads files, starts lines, writes results, erases."""

from __future__ import annotations

import asyncio
import time

from domain.dialects import Dialects
from domain.facade.models import Catalogue
from domain.settings import Settings
from storage.batch_erasure import BatchErasure
from storage.batch_work import BatchWork
from storage.database import Database
from storage.files import Files
from workers.steady import pause

BUSY_S = 0.15
"""Between two looks while a batch is open: its lines end at any moment."""
IDLE_S = 1.0
MEND_EVERY_S = 30.0
PURGE_EVERY_S = 60.0


class Batching:
    def __init__(self, database: Database, settings: Settings, stop: asyncio.Event) -> None:
        self._work = BatchWork(database, Dialects(Catalogue(settings)), settings.batch_window)
        self._files, self._erasure, self._stop = Files(database), BatchErasure(database), stop
        self._mended_at = self._purged_at = float("-inf")

    async def step(self) -> None:
        """One turn for each open batch, so that none waits for another's end. Raises Unavailable."""
        await self._keep_house()
        batches = await self._work.open()
        more = False
        for batch in batches:
            more |= await self._work.turn(batch)
        more |= await self._erasure.step()
        if not more:
            await pause(self._stop, BUSY_S if batches else IDLE_S)

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._purged_at >= PURGE_EVERY_S:
            self._purged_at = now
            await self._files.purge()
            await self._erasure.retain()
        if now - self._mended_at >= MEND_EVERY_S:
            self._mended_at = now
            for batch in await self._work.open():
                await self._work.mend(batch)
