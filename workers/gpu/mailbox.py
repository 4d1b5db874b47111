"""Many calls, few messages: one orchestrator's requests come in batches, and its results wait to be fetched together.

A Ray call costs about half a millisecond of CPU on both sides, as much as a small model needs for several tokens. So an
orchestrator keeps a single `collect` open, which returns everything that has ended since the last one. A session that
stops collecting is gone (killed, or cut off): its calls are aborted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from domain.errors import EngineError
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure
from inference.host import EngineHost

Request = SampleRequest | ScoreRequest
Result = Completion | StepScores | CallFailure

COLLECT_S = 5.0
"""Longest wait of one `collect`; an empty answer says that the engine is alive."""
GATHER_S = 0.01
"""How long a result waits for company: a small model ends some rollouts every few milliseconds."""
ORPHAN_S = 20.0
"""A session that has not collected for so long is taken to be gone."""


class Session:
    """The calls of one orchestrator. Keys are made unique among sessions, since a job may change hands."""

    def __init__(self, name: str, host: EngineHost) -> None:
        self._name, self._host = name, host
        self._results: list[Result] = []
        self._running: set[str] = set()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._collects = 0
        self.collected_at = time.monotonic()

    def submit(self, requests: Sequence[Request]) -> None:
        self._running |= {request.key for request in requests}
        self._host.submit([replace(one, key=self._mark(one.key)) for one in requests], self._ended)

    async def collect(self) -> list[Result]:
        """What has ended, after at most `COLLECT_S`. The latest `collect` gets it: the caller of an earlier is gone."""
        self._collects = mine = self._collects + 1
        self.collected_at = time.monotonic()
        try:
            async with asyncio.timeout(COLLECT_S):
                await self._news.wait()
        except TimeoutError:
            return []
        await asyncio.sleep(GATHER_S)
        if mine != self._collects:
            return []
        self._news.clear()
        results, self._results = self._results, []
        self.collected_at = time.monotonic()
        return results

    def abort(self, keys: Iterable[str]) -> None:
        self._host.abort([self._mark(key) for key in keys])

    def abort_all(self) -> None:
        self.abort(list(self._running))

    def _ended(self, results: Sequence[Result]) -> None:
        # Called by the engine's thread.
        self._loop.call_soon_threadsafe(self._take, results)

    def _take(self, results: Sequence[Result]) -> None:
        for result in results:
            key = result.key.removeprefix(self._name + "/")
            self._running.discard(key)
            self._results.append(replace(result, key=key))
        self._news.set()

    def _mark(self, key: str) -> str:
        return f"{self._name}/{key}"


class Mailbox:
    """All sessions of one engine."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._sessions: dict[str, Session] = {}
        self._dropped: set[str] = set()

    def session(self, name: str) -> Session:
        """Raises EngineError once for a session that was dropped and is back: its caller must hear that."""
        if name in self._dropped:
            self._dropped.discard(name)
            raise EngineError("this session was silent for too long, so that its calls were aborted")
        if name not in self._sessions:
            self._sessions[name] = Session(name, self._host)
        return self._sessions[name]

    def drop_orphans(self, now: float) -> int:
        """Abort the calls of sessions that are gone; how many there were."""
        gone = [name for name, one in self._sessions.items() if now - one.collected_at > ORPHAN_S]
        for name in gone:
            self._sessions.pop(name).abort_all()
            self._dropped.add(name)
        return len(gone)
