"""Carries the outbox to Celery: whoever submitted, cancelled or finished a job wished to wake somebody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from messaging.doorbell import Doorbell
from orchestrator.host import AWAKE_S
from storage.outbox import CANCEL, QUEUED, WEBHOOK_DUE, Outbox, OutboxRow

WAIT_S = 1.0
"""Longest time that a posted row waits for us when its notification was missed."""
BATCH = 500
RING_S = AWAKE_S / 2
"""From one ring for new jobs to the next at least: who heard the last one is still looking. Their rows wait so long."""
PACE_S = 0.05
"""From one look to the next at least: where much is posted, one look carries much. A lone row is carried at once."""


class Relay:
    def __init__(self, outbox: Outbox, doorbell: Doorbell) -> None:
        self._outbox = outbox
        self._doorbell = doorbell
        self._looked_at = self._rang_at = float("-inf")

    async def step(self) -> None:
        """Publish what there is; when that was all, wait. Raises Unavailable."""
        await asyncio.sleep(max(0.0, self._looked_at + PACE_S - time.monotonic()))
        self._looked_at = time.monotonic()
        silence_s = self._rang_at + RING_S - self._looked_at
        if await self._outbox.relay(self.publish, BATCH, QUEUED if silence_s > 0 else "") < BATCH:
            await self._outbox.wait(silence_s if silence_s > 0 else WAIT_S)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Many rows, few messages. What was sent twice, because the second message failed, does no harm."""
        await self._doorbell.ring(row.key for row in rows if row.topic in (QUEUED, CANCEL))
        if any(row.topic == QUEUED for row in rows):
            self._rang_at = time.monotonic()
        if any(row.topic == WEBHOOK_DUE for row in rows):
            await self._doorbell.deliver()
