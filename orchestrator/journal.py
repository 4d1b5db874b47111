"""Group commit: the events of all running searches go to the store together, a few transactions a second.

Write-behind is safe because what is lost in a crash is repeated: the moves are asked again from the folded state with
the same seeds and keys, and only recorded cost counts. A job's end is different: it is durable before anybody hears it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.budget import NO_COST, Spend
from domain.errors import LeaseLost, Unavailable
from domain.events import Event, JobStopped
from domain.ids import JobId
from domain.ports import CallRecord, Claim, Finish, JobStore, JobWrite, Progress

log = logging.getLogger(__name__)

GATHER_S = 0.08
"""How long a commit waits for company."""
PACE_S = 0.04
"""From one commit to the next at least: where jobs end many times a second, ends go together."""
RETRY_S = (0.1, 0.5, 1.0, 2.0)
"""Pauses while the store is unavailable; the last one repeats."""


@dataclass
class _Pending:
    first_seq: int
    events: list[Event] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    spend: Spend = NO_COST
    finish: Finish | None = None


class JobLog:
    """The Recorder of one claimed job: gives its events their sequence numbers."""

    def __init__(self, journal: Journal, claim: Claim) -> None:
        self._journal, self._job, self._fence = journal, claim.job, claim.fence
        self._next_seq = len(claim.events)
        self._pending = _Pending(self._next_seq)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def record(self, events: tuple[Event, ...], calls: tuple[CallRecord, ...], spend: Spend) -> None:
        self._pending.events += events
        self._pending.calls += calls
        self._pending.spend = spend
        self._next_seq += len(events)
        self._journal.touch(self)

    async def finish(self, event: JobStopped, finish: Finish) -> None:
        self._pending.finish = finish
        self.record((event,), (), event.spend)
        self._journal.hurry()
        await self._ended

    def take(self) -> JobWrite:
        """Everything since the last take, as one write."""
        pending, self._pending = self._pending, _Pending(self._next_seq)
        events, calls = tuple(pending.events), tuple(pending.calls)
        return JobWrite(self._job, self._fence, pending.first_seq, events, calls, pending.spend, pending.finish)

    def committed(self, write: JobWrite, lost: bool) -> None:
        """The store has taken the write, or has refused it because another worker holds the job now."""
        if self._ended.done():
            return
        if lost:
            self._ended.set_exception(LeaseLost("another worker holds this job now"))
            self._ended.exception()  # Seen: a run that is not at its end yet hears of it by its abandonment.
        elif write.finish is not None:
            self._ended.set_result(None)


class Journal:
    """Collects the logs that have something new and commits them as one batch. `serve` runs until it is cancelled."""

    def __init__(self, store: JobStore, progress: Progress, on_lost: Callable[[JobId, int], None]) -> None:
        self._store, self._progress, self._on_lost = store, progress, on_lost
        self._dirty: dict[JobLog, None] = {}
        self._news, self._hurry, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()

    def open(self, claim: Claim) -> JobLog:
        return JobLog(self, claim)

    def touch(self, job_log: JobLog) -> None:
        self._dirty[job_log] = None
        self._idle.clear()
        self._news.set()

    def hurry(self) -> None:
        """Don't wait for company: somebody awaits this commit."""
        self._hurry.set()

    async def flush(self) -> None:
        """Return when everything recorded so far is durable."""
        self.hurry()
        await self._idle.wait()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        committed_at = float("-inf")
        while True:
            await self._news.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._hurry.wait()
            await asyncio.sleep(max(0.0, committed_at + PACE_S - loop.time()))
            self._news.clear()
            self._hurry.clear()
            await self._commit()
            committed_at = loop.time()
            if not self._dirty:
                self._idle.set()

    async def _commit(self) -> None:
        logs, self._dirty = self._dirty, {}
        writes = [(job_log, job_log.take()) for job_log in logs]
        lost = await self._stored([write for _, write in writes])
        for job_log, write in writes:
            job_log.committed(write, write.job in lost)
            if write.job in lost:
                self._on_lost(write.job, write.fence)
        kept = [write for _, write in writes if write.job not in lost]
        ended = {write.job for write in kept if write.finish is not None}
        await self._progress.publish([write.job for write in kept], ended)

    async def _stored(self, writes: list[JobWrite]) -> frozenset[JobId]:
        """Commit, again and again while the store is away: a write that took effect twice has the effect of once."""
        attempt = 0
        while True:
            try:
                return await self._store.commit(writes)
            except Unavailable as error:
                if attempt == 0:
                    log.warning("the store is unavailable, events are kept in memory: %s", error.message)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
