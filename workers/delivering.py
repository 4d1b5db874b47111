"""Sends webhooks that are due: claimed from Postgres under a lease, sent many at a time, recorded one by one.

A crash between sending and recording makes the delivery due again when its lease ends: at least once, same id.
"""

from __future__ import annotations

import asyncio
import logging

from messaging.outage import describe
from messaging.retry import Again, Dead, Delivered, decide
from messaging.webhooks import TIMEOUT_S, Attempt, WebhookSender
from storage.deliveries import Deliveries, Delivery
from workers.steady import pause

AT_ONCE = 32
LEASE_S = 4 * TIMEOUT_S
LOOK_S = 2.0
"""A wake-up may be lost with Redis: look this often all the same."""

logger = logging.getLogger("deliberate.workers")


class DeliveryLoop:
    def __init__(self, deliveries: Deliveries, sender: WebhookSender) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._sending: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A webhook may be due, or a place is free."""
        self._wake.set()

    async def step(self) -> None:
        """Start what is due, as far as there is room, then wait until there may be more. Raises Unavailable."""
        self._wake.clear()
        room = AT_ONCE - len(self._sending)
        claimed = await self._deliveries.claim_due(room, LEASE_S) if room else []
        for delivery in claimed:
            self._start(delivery)
        if not room or len(claimed) < room:
            await pause(self._wake, await self._idle_s())

    async def finish(self, patience_s: float) -> None:
        """Let what is being sent end; what has not by then is sent again by lease."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=patience_s)
            for task in late:
                task.cancel()

    async def _idle_s(self) -> float:
        next_due_s = await self._deliveries.next_due_s()
        return LOOK_S if next_due_s is None else min(max(next_due_s, 0.05), LOOK_S)

    def _start(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
        self._sending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("%s was not recorded and will be sent again: %s", task.get_name(), describe(error))

    async def _deliver(self, delivery: Delivery) -> None:
        attempt = await self._sender.send(
            id=delivery.id,
            url=delivery.url,
            body=delivery.body,
            secret=delivery.secret,
            previous_secret=delivery.previous_secret,
        )
        await self._record(delivery, attempt)

    async def _record(self, delivery: Delivery, attempt: Attempt) -> None:
        decision = decide(delivery.attempt, attempt.status_code, attempt.retry_after_s, delivery.id)
        error = attempt.error
        if isinstance(decision, Dead):
            logger.warning("webhook %s is dead: %s", delivery.id, decision.reason)
            error = f"{error}; given up: {decision.reason}"
        disabled = await self._deliveries.record(
            delivery,
            status_code=attempt.status_code,
            error=error,
            next_delay_s=decision.delay_s if isinstance(decision, Again) else None,
            delivered=isinstance(decision, Delivered),
        )
        if disabled is not None:
            logger.warning("webhook endpoint %s is disabled: %s", delivery.endpoint_id, disabled)
