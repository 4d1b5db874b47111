"""Live progress over Redis pub/sub: which jobs have news. What the news is stands in Postgres.

One channel carries the ids of all jobs that a group commit touched, so that publishing costs one command whatever the
number of jobs, and a listener needs no subscription per job. All of it may be lost at any time; watchers poll besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from domain.ids import JobId
from messaging.outage import Outage
from messaging.redis_url import TIMEOUT_S, connect

CHANNEL = "deliberate:progress"
IDS_PER_MESSAGE = 1000
END_MARK = "!"
"""Behind the id of a job that has ended: whoever waits for the end alone need not look at each step."""
QUIET_S = 2.0
"""After a failure, publishing is skipped for this long: live progress must not slow the work that it reports."""
SILENCE_S = 3.0
"""A listener that hears nothing for this long, not even the answer to its ping, has lost Redis."""
RETRY_S = 0.5
CLOSING_S = 0.2

logger = logging.getLogger("deliberate.progress")


class RedisProgress:
    """Implements `domain.ports.Progress`. It never raises and never takes longer than about a second."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url)
        self._outage = Outage(logger, "publishing progress to Redis")
        self._quiet_until = 0.0

    async def publish(self, jobs: Sequence[JobId], ended: Collection[JobId] = ()) -> None:
        if not jobs or time.monotonic() < self._quiet_until:
            return
        words = [job + END_MARK if job in ended else job for job in jobs]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for first in range(0, len(words), IDS_PER_MESSAGE):
                    await self._redis.publish(CHANNEL, " ".join(words[first : first + IDS_PER_MESSAGE]))
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until = time.monotonic() + QUIET_S
            self._outage.failed(error)
        else:
            self._outage.worked()

    async def close(self) -> None:
        await self._redis.aclose()


class News:
    """What a watcher of one job waits for: any news, or its end only."""

    def __init__(self, end_only: bool = False) -> None:
        self.end_only = end_only
        self._event = asyncio.Event()

    def arrived(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """True when there may be news, False after `timeout_s`. News that came before the call counts."""
        if not self._event.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._event.wait()
        arrived = self._event.is_set()
        self._event.clear()
        return arrived


class Watcher:
    """Listens for news of all jobs and hands them to those who watch one. Make one for each process."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url)
        self._watched: defaultdict[str, set[News]] = defaultdict(set)
        self._outage = Outage(logger, "listening for progress on Redis")
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        """False: news may be missed, so poll often."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen_for_ever(), name="progress listener")

    async def close(self) -> None:
        while self._task is not None and not self._task.done():
            # Once is not enough: a cancellation that meets the end of a timeout is lost inside of redis-py.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSING_S)
        await self._redis.aclose()

    @contextlib.contextmanager
    def watch(self, job_id: str, *, end_only: bool = False, as_news: News | None = None) -> Iterator[News]:
        """Begin to watch *before* reading the job, then nothing falls between. `as_news`: what is told."""
        news = as_news or News(end_only)
        self._watched[job_id].add(news)
        try:
            yield news
        finally:
            self._watched[job_id].discard(news)
            if not self._watched[job_id]:
                del self._watched[job_id]

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await self._listen(pubsub)
            except (RedisError, OSError, TimeoutError) as error:
                self._outage.failed(error)
            self._set_connected(False)
            await asyncio.sleep(RETRY_S)

    async def _listen(self, pubsub: PubSub) -> None:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await pubsub.subscribe(CHANNEL)
        heard = time.monotonic()
        while True:
            message = await pubsub.get_message(timeout=TIMEOUT_S)
            if message is not None:
                heard = time.monotonic()
                self._handle(message["type"], message["data"])
            elif time.monotonic() - heard > SILENCE_S:
                raise TimeoutError
            else:
                await pubsub.ping()

    def _handle(self, kind: str, data: object) -> None:
        if kind == "subscribe":
            self._outage.worked()
            self._set_connected(True)
        elif kind == "message":
            for word in str(data).split():
                for news in self._watched.get(word.removesuffix(END_MARK), ()):
                    if word.endswith(END_MARK) or not news.end_only:
                        news.arrived()

    def wake_all(self) -> None:
        """Whoever waits looks once more."""
        for watchers in self._watched.values():
            for news in watchers:
                news.arrived()

    def _set_connected(self, connected: bool) -> None:
        if connected != self.connected:
            self.connected = connected
            # News may have been lost, and the time to poll is another now.
            self.wake_all()
