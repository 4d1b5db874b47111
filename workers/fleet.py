"""The engines as the orchestrator sees them: ports that lead to Ray actors found by name.

A problem's calls go to one replica, which keeps what they begin with, unless it has clearly more to do than another.
While there is none, calls wait: engines that are being restarted cost time, not answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import Iterable
from typing import cast

import ray

from domain.errors import EngineError, Unavailable
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from workers.names import prefix
from workers.replica import Replica

log = logging.getLogger(__name__)

DISCOVER_S = 2.0
AHEAD = 16
"""Calls that a problem's replica may have under way beyond the least busy one's: a quarter of a batch."""
PATIENCE_S = 120.0
"""How long a call waits for an engine to be there."""
HEAD_LOST_AFTER = 5
"""Failed look-ups in a row after which the Ray head counts as lost."""


class Pool:
    """All replicas of one model. `serve` finds them as they come and go; it raises Unavailable when Ray is lost."""

    def __init__(self, kind: str, model: str) -> None:
        self._prefix = prefix(kind, model)
        self._kind = kind
        self._session = secrets.token_hex(8)
        self._replicas: dict[str, tuple[Replica, asyncio.Task[None]]] = {}
        self._change = asyncio.Event()
        """A replica came up, or calls were aborted."""
        self._patient: set[str] = set()
        """Calls that wait for a replica, and those of them that were aborted."""
        self._given_up: set[str] = set()

    async def serve(self) -> None:
        try:
            await self._discover_for_ever()
        finally:
            for _, task in self._replicas.values():
                task.cancel()

    async def ready(self) -> ModelInfo:
        """Wait for the first replica that has loaded; what it serves."""
        while True:
            for replica in self._up():
                if replica.info is not None:
                    return replica.info
            await self._changed()

    async def call(self, request: SampleRequest | ScoreRequest) -> Completion | StepScores:
        replica = await self._replica_for(request)
        return await replica.call(request)

    def size(self) -> int:
        """Replicas that take calls now."""
        return len(self._up())

    def abort(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        self._given_up |= self._patient & set(keys)
        self._change.set()
        for replica, _ in self._replicas.values():
            replica.abort(keys)

    async def _replica_for(self, request: SampleRequest | ScoreRequest) -> Replica:
        """The replica for a call. Raises EngineError when none comes up in time, or the call is aborted before that."""
        key = request.key
        self._patient.add(key)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self._up():
                    await self._changed()
                    if key in self._given_up:
                        raise EngineError("the call was aborted before it began", retryable=False)
                return self._chosen(request.problem)
        except TimeoutError:
            raise EngineError(f"no {self._kind} engine came up within {PATIENCE_S:.0f} s") from None
        finally:
            self._patient.discard(key)
            self._given_up.discard(key)

    def _chosen(self, problem: str) -> Replica:
        """Highest random weight (Thaler and Ravishankar 1998): a replica that comes or goes moves its own problems."""
        up = {name: replica for name, (replica, _) in self._replicas.items() if replica.up}
        home = up[max(up, key=lambda name: hashlib.blake2b(f"{name}|{problem}".encode(), digest_size=8).digest())]
        idlest = min(up.values(), key=lambda replica: replica.load)
        return home if home.load <= idlest.load + AHEAD else idlest

    async def _changed(self) -> None:
        self._change.clear()
        await self._change.wait()

    def _up(self) -> list[Replica]:
        return [replica for replica, _ in self._replicas.values() if replica.up]

    async def _discover_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                await self._discover()
                failures = 0
            except Exception as error:
                failures += 1
                log.warning("can't look up %s engines: %s", self._kind, type(error).__name__)
                if failures >= HEAD_LOST_AFTER:
                    raise Unavailable("the Ray head is lost") from error
            await asyncio.sleep(DISCOVER_S if self._replicas else 0.2)

    async def _discover(self) -> None:
        names = await asyncio.to_thread(ray.util.list_named_actors)
        found = {name for name in names if name.startswith(self._prefix)}
        for name in found - set(self._replicas):
            with contextlib.suppress(ValueError):  # It ended between the two look-ups.
                self._join(name, await asyncio.to_thread(ray.get_actor, name))
        for name in set(self._replicas) - found:
            replica, task = self._replicas.pop(name)
            task.cancel()
            replica.fail_all()

    def _join(self, name: str, actor: object) -> None:
        replica = Replica(name, actor, self._session, self._change.set)
        self._replicas[name] = (replica, asyncio.create_task(replica.serve()))


class FleetPolicy:
    """`domain.ports.Policy` over a pool."""

    def __init__(self, pool: Pool, info: ModelInfo) -> None:
        self._pool, self.info = pool, info

    async def sample(self, request: SampleRequest) -> Completion:
        return cast(Completion, await self._pool.call(request))

    def abort(self, keys: Iterable[str]) -> None:
        self._pool.abort(keys)


class FleetVerifier:
    """`domain.ports.Verifier` over a pool."""

    def __init__(self, pool: Pool, info: ModelInfo) -> None:
        self._pool, self.info = pool, info

    async def score(self, request: ScoreRequest) -> StepScores:
        return cast(StepScores, await self._pool.call(request))

    def abort(self, keys: Iterable[str]) -> None:
        self._pool.abort(keys)
