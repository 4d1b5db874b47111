"""The composition root of the API: everything that a request handler may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from api.feeds import Feeds
from api.metrics import Metrics
from api.security import Authenticator
from domain.errors import ConfigurationError
from domain.facade.models import Catalogue
from domain.settings import Settings
from messaging.presence import Presence
from messaging.progress import Watcher
from messaging.rates import Rates
from messaging.webhooks import WebhookSender
from storage.answers import Answers
from storage.audit import Audit
from storage.batch_erasure import BatchErasure
from storage.batch_reading import BatchResults
from storage.batches import Batches
from storage.database import Database
from storage.deliveries import Deliveries
from storage.delivery_log import DeliveryLog
from storage.endpoints import Endpoints
from storage.erasure import Erasure
from storage.files import Files
from storage.jobs import Jobs
from storage.key_ring import KeyRing
from storage.keys import Keys
from storage.pace import PaceKeeper
from storage.responses import Responses
from storage.tenant_secret import TenantSecret
from storage.tenants import Tenants
from storage.traces import Traces
from storage.usage import Usage


@dataclass
class Services:
    settings: Settings
    database: Database
    jobs: Jobs
    traces: Traces
    keys: Keys
    deliveries: Deliveries
    files: Files
    batches: Batches
    results: BatchResults
    batch_erasure: BatchErasure
    delivery_log: DeliveryLog
    endpoints: Endpoints
    tenant_secret: TenantSecret
    sender: WebhookSender
    pace: PaceKeeper
    feeds: Feeds
    responses: Responses
    catalogue: Catalogue
    watcher: Watcher
    presence: Presence
    rates: Rates
    answers: Answers
    erasure: Erasure
    tenants: Tenants
    key_ring: KeyRing
    usage: Usage
    audit: Audit
    authenticator: Authenticator
    metrics: Metrics = field(default_factory=Metrics)
    bootstrapped: bool = False
    """The default tenant and the bootstrap keys are stored."""
    draining: bool = False
    """The process is about to end: whoever waits gets an answer now."""

    def drain(self) -> None:
        self.draining = True
        self.watcher.wake_all()
        self.feeds.wake_all()

    async def close(self) -> None:
        await self.feeds.close()
        await self.watcher.close()
        await self.presence.close()
        await self.rates.close()
        await self.database.close()


def compose(settings: Settings) -> Services:
    """Connects to nothing yet. Raises ConfigurationError."""
    database_url = _needed(settings.database_url, "DELIBERATE_DATABASE_URL")
    redis_url = _needed(settings.redis_url, "DELIBERATE_REDIS_URL")
    database = Database.open(database_url)
    keys, traces, watcher = Keys(database), Traces(database), Watcher(redis_url)
    return Services(
        settings=settings,
        database=database,
        jobs=Jobs(database),
        traces=traces,
        keys=keys,
        deliveries=Deliveries(database),
        files=Files(database),
        batches=Batches(database),
        results=BatchResults(database),
        batch_erasure=BatchErasure(database),
        delivery_log=DeliveryLog(database),
        endpoints=Endpoints(database),
        tenant_secret=TenantSecret(database),
        pace=PaceKeeper(database),
        sender=WebhookSender(settings.webhook_allowed_networks),
        watcher=watcher,
        feeds=Feeds(traces, watcher),
        responses=Responses(database),
        catalogue=Catalogue(settings),
        presence=Presence(redis_url),
        rates=Rates(redis_url),
        answers=Answers(database),
        erasure=Erasure(database),
        tenants=Tenants(database),
        key_ring=KeyRing(database),
        usage=Usage(database),
        audit=Audit(database),
        authenticator=Authenticator(keys),
    )


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _needed(url: str | None, variable: str) -> str:
    if url is None:
        raise ConfigurationError(f"{variable} is not set: run `deliberate up` for an embedded one, or set it")
    return url
