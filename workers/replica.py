"""The orchestrator's end of one engine's mailbox.

Requests of one loop turn leave as one message; one open `collect` brings everything back that has ended. When the actor
dies, all that was under way there fails as retryable: the search asks again, elsewhere or of the restarted actor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ray.exceptions import RayError

from domain.errors import EngineError
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure

log = logging.getLogger(__name__)

REVIVE_S = 0.5
"""Pause between attempts to reach an actor that is being restarted."""
LOST = "the engine that ran this call was lost"


class Replica:
    """One actor, as long as it can be found by name. `serve` runs beside it until it is cancelled."""

    def __init__(self, name: str, actor: Any, session: str, on_up: Callable[[], None]) -> None:
        self.name = name
        self.info: ModelInfo | None = None
        self._actor, self._session, self._on_up = actor, session, on_up
        self._waiting: dict[str, asyncio.Future[Completion | StepScores]] = {}
        self._outgoing: list[SampleRequest | ScoreRequest] = []
        self._sending: set[asyncio.Task[None]] = set()
        self.up = False

    @property
    def load(self) -> int:
        return len(self._waiting)

    async def call(self, request: SampleRequest | ScoreRequest) -> Completion | StepScores:
        """Raises EngineError. A cancelled await aborts the call in the engine."""
        loop = asyncio.get_running_loop()
        future = self._waiting[request.key] = loop.create_future()
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(request)
        try:
            return await future
        except asyncio.CancelledError:
            self.abort([request.key])
            raise
        finally:
            if self._waiting.get(request.key) is future:
                del self._waiting[request.key]

    def abort(self, keys: Iterable[str]) -> None:
        known = [key for key in keys if key in self._waiting]
        if known and self.up:
            self._send(lambda: self._actor.abort.remote(self._session, known))

    async def serve(self) -> None:
        """Collect results for ever; come back when the actor does."""
        while True:
            try:
                self.info = (await self._actor.load.remote()).info
                while True:
                    self._is_up()
                    self._deliver(await self._actor.collect.remote(self._session))
            except RayError as error:
                if self.up:
                    log.warning("%s is away (%s)", self.name, type(error).__name__)
                self.fail_all()
                await asyncio.sleep(REVIVE_S)

    def fail_all(self) -> None:
        """The actor is gone: everything that was there is lost."""
        self.up = False
        self._outgoing.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EngineError(LOST))

    def _is_up(self) -> None:
        """Also after a single message was refused, while the actor itself is well."""
        if not self.up:
            self.up = True
            self._on_up()

    def _flush(self) -> None:
        batch, self._outgoing = self._outgoing, []
        if batch:
            self._send(lambda: self._actor.submit.remote(self._session, batch))

    def _send(self, message: Callable[[], Any]) -> None:
        task = asyncio.ensure_future(self._sent(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _sent(self, message: Callable[[], Any]) -> None:
        try:
            # Ray refuses in the call itself when the actor's queue is full.
            await message()
        except RayError:
            # `serve` hears of the actor's death as well, but a single refused message would leave its calls waiting.
            self.fail_all()

    def _deliver(self, results: list[Completion | StepScores | CallFailure]) -> None:
        for result in results:
            future = self._waiting.get(result.key)
            if future is None or future.done():
                continue
            if isinstance(result, CallFailure):
                future.set_exception(result.error())
            else:
                future.set_result(result)
