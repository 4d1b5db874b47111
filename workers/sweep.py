"""Finds, without Redis, what nobody was told of: jobs that wait too long and idempotency keys that are too old."""

from __future__ import annotations

import asyncio
import logging
import time

from storage.database import Database
from storage.idempotency import purge_keys
from storage.jobs import Jobs
from workers.steady import pause

EVERY_S = 2.0
STALE_S = 5.0
"""A queued or lease-expired job that waits longer than this is rung for again."""
PURGE_EVERY_S = 600.0

logger = logging.getLogger("deliberate.workers")


class Sweep:
    def __init__(self, database: Database, stop: asyncio.Event) -> None:
        self._database = database
        self._jobs = Jobs(database)
        self._stop = stop
        self._purged_at = -PURGE_EVERY_S

    async def step(self) -> None:
        """Raises Unavailable."""
        rung = await self._jobs.ring_stale(STALE_S)
        if rung:
            logger.debug("rang again for %d waiting jobs", rung)
        if time.monotonic() - self._purged_at >= PURGE_EVERY_S:
            await purge_keys(self._database)
            self._purged_at = time.monotonic()
        await pause(self._stop, EVERY_S)
