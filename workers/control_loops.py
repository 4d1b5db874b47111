"""The loops of a control process: relay, webhook deliveries, sweep, batches, and the two signs of life."""

from __future__ import annotations

import asyncio

from domain.errors import ConfigurationError
from domain.settings import Settings
from messaging.doorbell import Doorbell
from messaging.presence import Presence
from messaging.webhooks import WebhookSender
from storage.database import Database
from storage.deliveries import Deliveries
from storage.outbox import Outbox
from workers.batching import Batching
from workers.delivering import DeliveryLoop
from workers.heartbeat import INTERVAL_S, Heartbeat
from workers.relay import Relay
from workers.steady import pause, steadily, until_stopped
from workers.sweep import Sweep

ANNOUNCE_EVERY_S = 3.0
FINISH_S = 5.0
"""At the end, webhooks that are being sent have this long."""
POOL_SIZE = 8


class Control:
    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet. Raises ConfigurationError."""
        self._settings = settings
        self._redis_url = _needed(settings.redis_url, "DELIBERATE_REDIS_URL")
        self._database_url = _needed(settings.database_url, "DELIBERATE_DATABASE_URL")
        self._heartbeat = Heartbeat(settings.home, "control")
        self._webhooks: DeliveryLoop | None = None

    def wake_webhooks(self) -> None:
        """To be called on the loop."""
        if self._webhooks is not None:
            self._webhooks.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        database = Database.open(self._database_url, pool_size=POOL_SIZE)
        doorbell = Doorbell(self._redis_url)
        presence = Presence(self._redis_url)
        sender = WebhookSender(allowed=self._settings.webhook_allowed_networks)
        self._webhooks = webhooks = DeliveryLoop(Deliveries(database), sender)
        try:
            await until_stopped(
                stop,
                steadily("relay of the outbox", Relay(Outbox(database), doorbell).step, stop),
                steadily("webhook deliveries", webhooks.step, stop),
                steadily("sweep", Sweep(database, stop).step, stop),
                steadily("batches", Batching(database, self._settings, stop).step, stop),
                steadily("heartbeat", lambda: self._beat(stop), stop),
                steadily("presence", lambda: _announce(presence, stop), stop),
            )
        finally:
            await webhooks.finish(FINISH_S)
            self._heartbeat.remove()
            await presence.close()
            await doorbell.close()
            await database.close()

    async def _beat(self, stop: asyncio.Event) -> None:
        self._heartbeat.beat()
        await pause(stop, INTERVAL_S)


async def _announce(presence: Presence, stop: asyncio.Event) -> None:
    await presence.announce("control")
    await pause(stop, ANNOUNCE_EVERY_S)


def _needed(url: str | None, variable: str) -> str:
    if url is None:
        raise ConfigurationError(f"{variable} is not set: run `deliberate up` for an embedded one, or set it")
    return url
