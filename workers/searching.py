"""The loop of the orchestrator process: engines found by name, and one host that runs hundreds of searches on them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from typing import Any

from domain.errors import ConfigurationError
from domain.settings import NO_VERIFIER, Settings, prices_of
from inference.answers.equivalence import SymbolicEquivalence
from messaging.presence import Presence
from messaging.progress import RedisProgress
from orchestrator.calibration import calibration_for
from orchestrator.engines import Engines
from orchestrator.host import Host
from orchestrator.sharing import Sharing
from storage.database import Database
from storage.leases import PostgresJobStore
from workers.fleet import FleetPolicy, FleetVerifier, Pool
from workers.heartbeat import INTERVAL_S, Heartbeat
from workers.names import POLICY, VERIFIER
from workers.steady import pause, steadily

ANNOUNCE_EVERY_S = 3.0
DRAIN_S = 6.0
"""At the end, running searches have this long to be written and given back."""

logger = logging.getLogger("deliberate.orchestrator")


@dataclass
class Parts:
    """What the loops of this process share; closed together."""

    database: Database
    progress: RedisProgress
    presence: Presence
    equivalence: SymbolicEquivalence

    async def close(self) -> None:
        await self.equivalence.close()
        await self.progress.close()
        await self.presence.close()
        await self.database.close()


class Searching:
    """Composition root of this process: ports get their real ends here."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError."""
        for name in ("database_url", "redis_url", "ray_address"):
            if getattr(settings, name) is None:
                raise ConfigurationError(f"DELIBERATE_{name.upper()} is not set: `deliberate up` sets it, or set it")
        self._settings = settings
        self._heartbeat = Heartbeat(settings.home, "orchestrator")
        self._host: Host | None = None

    def ring(self, jobs: list[str]) -> None:
        if self._host is not None:
            self._host.ring(jobs)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises Unavailable when the Ray head is lost."""
        parts = self._open()
        policies, verifiers = self._pools()
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(pool.serve()) for pool in (policies, verifiers) if pool is not None]
                helpers.append(group.create_task(steadily("heartbeat", lambda: self._beat(stop), stop)))
                engines = await _first(stop, self._engines(policies, verifiers, parts.equivalence))
                if engines is not None:
                    helpers.append(group.create_task(steadily("presence", lambda: _announce(parts, stop), stop)))
                    await self._serve(self._shared(engines, policies, verifiers), parts, stop)
                for helper in helpers:
                    helper.cancel()
        finally:
            self._heartbeat.remove()
            await parts.close()

    def _open(self) -> Parts:
        settings = self._settings
        assert settings.database_url is not None
        assert settings.redis_url is not None
        database = Database.open(settings.database_url, pool_size=4)
        redis_url = settings.redis_url
        return Parts(database, RedisProgress(redis_url), Presence(redis_url), SymbolicEquivalence())

    def _pools(self) -> tuple[Pool, Pool | None]:
        settings = self._settings
        verifiers = None if settings.verifier == NO_VERIFIER else Pool(VERIFIER, settings.verifier)
        return Pool(POLICY, settings.policy), verifiers

    async def _engines(self, policies: Pool, verifiers: Pool | None, equivalence: SymbolicEquivalence) -> Engines:
        """Waits until both kinds have come up: jobs stay queued until then."""
        policy = FleetPolicy(policies, await policies.ready())
        verifier = None if verifiers is None else FleetVerifier(verifiers, await verifiers.ready())
        verifier_id = None if verifier is None else verifier.info.id
        calibration = calibration_for(self._settings.policy, policy.info.id, verifier_id)
        return Engines(policy, verifier, equivalence, calibration)

    def _shared(self, engines: Engines, policies: Pool, verifiers: Pool | None) -> Sharing:
        per_engine = self._settings.calls_per_engine

        def capacity(pool: Pool) -> int:
            # While there is none, calls wait there: one that gives up must be heard of.
            return per_engine * max(1, pool.size())

        return Sharing(
            engines, lambda: capacity(policies), lambda: per_engine if verifiers is None else capacity(verifiers)
        )

    async def _serve(self, engines: Sharing, parts: Parts, stop: asyncio.Event) -> None:
        settings = self._settings
        worker = f"{socket.gethostname()}:{os.getpid()}"
        host = self._host = Host(
            PostgresJobStore(parts.database, prices_of(settings)),
            parts.progress,
            engines,
            worker=worker,
            max_jobs=settings.max_jobs,
            lease_s=settings.lease_s,
        )
        serving = asyncio.ensure_future(host.serve())
        logger.info("%s serves with %s", worker, engines.model)
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            host.drain()
            await asyncio.wait_for(serving, DRAIN_S)
        finally:
            stopping.cancel()
            serving.cancel()

    async def _beat(self, stop: asyncio.Event) -> None:
        self._heartbeat.beat()
        await pause(stop, INTERVAL_S)


async def _announce(parts: Parts, stop: asyncio.Event) -> None:
    await parts.presence.announce("orchestrator", "engines")
    await pause(stop, ANNOUNCE_EVERY_S)


async def _first(stop: asyncio.Event, work: Any) -> Any:
    """The result of `work`, or None when `stop` is set before."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
