"""Live streams of many jobs from one place: one loop asks Postgres for all of them at once, and each stream only reads
what has been made for its job.

Redis says when to look, Postgres what there is. While Redis is away the loop looks twice a second: one statement,
whatever the number of streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator

from api.telling import Message, Position, Teller
from domain.errors import Unavailable
from domain.ids import TenantId
from messaging.outage import Outage
from messaging.progress import News, Watcher
from storage.traces import StoredEvent, Traces

logger = logging.getLogger("deliberate.api")

POLL_S = 0.5
POLL_WITH_NEWS_S = 5.0
QUICKEST_S = 0.1
"""A busy job has news many times a second: the loop asks at most this often."""
STREAM_SHARE_S = 0.001
"""With many streams it looks more seldom: waking all of them must leave time for other requests."""
EVENTS_AT_ONCE = 2000
PAGE = 500
AT_A_TIME = 100
"""Events told before the server's other requests have their turn."""
KEPT_BYTES = 256 * 1024
"""Messages of one job that are kept for those who come late; who needs older ones reads the trace by itself."""
MOST_STREAMS = 2000


class _Dirty(News):
    """News that make the loop look."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def arrived(self) -> None:
        self._feed.mark()


class Feed:
    """The messages of one job, while somebody follows it."""

    def __init__(self, job_id: str, wake: asyncio.Event) -> None:
        self.job_id = job_id
        self.next_seq = 0
        self.dirty = True
        self.readers = 0
        self._gone = False
        self._teller = Teller(job_id)
        self._wake = wake
        self._messages: list[Message] = []
        self._bytes = 0
        self._first: Position = (0, 0)
        """Everything from here on is kept."""
        self._changed = asyncio.Event()

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return self._teller.ended or self._gone

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change; take it before looking."""
        return self._changed

    def mark(self) -> None:
        self.dirty = True
        self._wake.set()

    def add(self, events: list[StoredEvent]) -> None:
        for stored in events:
            self.next_seq = stored.seq + 1
            told = self._teller.tell(stored)
            self._messages += told
            self._bytes += sum(len(message.data) for message in told)
        self._forget()
        self.announce()

    def end(self) -> None:
        """The job was deleted, or its trace can't be read."""
        self._gone = True
        self.announce()

    def announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def since(self, position: Position) -> list[Message] | None:
        """What comes after this place; None when some of it is not kept any more."""
        if position < self._first and self._first != (0, 0):
            return None
        return self._messages[bisect_right(self._messages, position, key=lambda message: message.at) :]

    def _forget(self) -> None:
        dropped = 0
        while self._bytes > KEPT_BYTES and dropped < len(self._messages) - 1:
            self._bytes -= len(self._messages[dropped].data)
            dropped += 1
        if dropped:
            # Whoever stands at the last dropped message or beyond it misses nothing.
            self._first = self._messages[dropped - 1].at
            del self._messages[:dropped]


class Feeds:
    """Make one for each process, and start it on its loop."""

    def __init__(self, traces: Traces, watcher: Watcher) -> None:
        self._traces, self._watcher = traces, watcher
        self._feeds: dict[str, Feed] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._outage = Outage(logger, "reading the traces of open streams from Postgres")

    @property
    def streams(self) -> int:
        return sum(feed.readers for feed in self._feeds.values())

    def start(self) -> None:
        self._task = asyncio.create_task(self._pump(), name="streams")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def wake_all(self) -> None:
        """Every stream looks whether it is to go on."""
        for feed in self._feeds.values():
            feed.announce()

    def check_room(self) -> None:
        """Raises Unavailable when too many streams are open."""
        if self.streams >= MOST_STREAMS:
            raise Unavailable("too many event streams are open on this server: try again later, or poll the trace")

    @contextlib.contextmanager
    def follow(self, job_id: str) -> Iterator[Feed]:
        """The feed of a job that the caller may see."""
        feed = self._feeds.get(job_id)
        if feed is None:
            feed = self._feeds[job_id] = Feed(job_id, self._wake)
        feed.readers += 1
        try:
            with self._watcher.watch(job_id, as_news=_Dirty(feed)):
                if feed.readers == 1:
                    feed.mark()
                yield feed
        finally:
            feed.readers -= 1
            if not feed.readers:
                self._feeds.pop(job_id, None)

    async def earlier(self, tenant: TenantId, job_id: str, position: Position) -> AsyncIterator[Message]:
        """The messages after `position`, from the trace alone, up to its present end."""
        teller, after, more = Teller(job_id), -1, True
        while more:
            events, more = await self._traces.page(tenant, job_id, after=after, limit=PAGE)
            for stored in events:
                for message in teller.tell(stored):
                    if message.at > position:
                        yield message
                after = stored.seq

    async def _pump(self) -> None:
        while True:
            self._wake.clear()
            for feed in self._feeds.values():
                feed.dirty = True
            await self._look()
            await self._pause()

    async def _pause(self) -> None:
        """Until it is time to look at all; what has news is looked at meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (POLL_WITH_NEWS_S if self._watcher.connected else POLL_S)
        while (left := until - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()
            if not self._wake.is_set():
                return
            self._wake.clear()
            await self._look()
            await asyncio.sleep(max(QUICKEST_S, self.streams * STREAM_SHARE_S))
            if not self._watcher.connected:
                until = min(until, loop.time() + POLL_S)

    async def _look(self) -> None:
        try:
            while dirty := [feed for feed in self._feeds.values() if feed.dirty and not feed.over]:
                if not await self._read(dirty):
                    break
        except Exception as error:
            # Also a defect: it must not silence the streams of all other jobs for ever.
            self._outage.failed(error)
        else:
            self._outage.worked()

    async def _read(self, dirty: list[Feed]) -> bool:
        """Whether there is more to read at once."""
        for feed in dirty:
            feed.dirty = False
        wanted = {feed.job_id: feed.next_seq for feed in dirty}
        found, full = await self._traces.news(wanted, EVENTS_AT_ONCE)
        for feed in dirty:
            # A full answer has left something out, which is asked for at once.
            events = found.get(feed.job_id, [] if full else None)
            if events is None:
                feed.end()
                continue
            for first in range(0, len(events), AT_A_TIME):
                feed.add(events[first : first + AT_A_TIME])
                await asyncio.sleep(0)
            feed.dirty = feed.dirty or full
        return full
