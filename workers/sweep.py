"""Finds, without Redis, what nobody was told of: jobs that wait too long or beyond their deadline, what is to be
erased, and idempotency keys that are too old."""

from __future__ import annotations

import asyncio
import logging
import time

from storage.database import Database
from storage.deadlines import end_overdue
from storage.erasure import Erasure
from storage.idempotency import purge_keys
from storage.jobs import Jobs
from storage.responses import Responses
from workers.steady import pause

EVERY_S = 1.0
STALE_S = 5.0
"""A queued or lease-expired job that waits longer than this is rung for again."""
PURGE_EVERY_S = 600.0
RETAIN_EVERY_S = 60.0
"""Retention is looked after so often, and at every step while there is more to erase."""
KEPT_FOR_RETRIES_S = 600.0
"""A response that its caller did not want stored is kept this long after its end: a repeated request finds it."""

logger = logging.getLogger("deliberate.workers")


class Sweep:
    def __init__(self, database: Database, stop: asyncio.Event) -> None:
        self._database = database
        self._jobs = Jobs(database)
        self._erasure = Erasure(database)
        self._responses = Responses(database)
        self._stop = stop
        self._purged_at = -PURGE_EVERY_S
        self._retained_at = -RETAIN_EVERY_S

    async def step(self) -> None:
        """Raises Unavailable."""
        await end_overdue(self._database)
        rung = await self._jobs.ring_stale(STALE_S)
        if rung:
            logger.debug("rang again for %d waiting jobs", rung)
        erased = await self._erasure.sweep()
        if erased:
            logger.info("erased %d jobs", erased)
        if time.monotonic() - self._retained_at >= RETAIN_EVERY_S and not await self._retain():
            self._retained_at = time.monotonic()
        if time.monotonic() - self._purged_at >= PURGE_EVERY_S:
            await purge_keys(self._database)
            self._purged_at = time.monotonic()
        await pause(self._stop, EVERY_S)

    async def _retain(self) -> int:
        """Erase some of what is kept no longer; gives the number of jobs."""
        return await self._erasure.retain() + await self._responses.purge_unstored(KEPT_FOR_RETRIES_S)
