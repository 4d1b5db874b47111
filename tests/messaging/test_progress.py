"""Live progress over a real Redis: news arrives at once, and losing Redis raises nothing and blocks nobody."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from domain.ids import JobId
from messaging.progress import IDS_PER_MESSAGE, RedisProgress, Watcher
from tests.support.redis import TestRedis

pytestmark = pytest.mark.integration

A, B = JobId("job_a"), JobId("job_b")


@pytest.fixture
async def progress(redis_server: TestRedis) -> AsyncIterator[RedisProgress]:
    one = RedisProgress(redis_server.url)
    yield one
    await one.close()


@pytest.fixture
async def watcher(redis_server: TestRedis) -> AsyncIterator[Watcher]:
    one = Watcher(redis_server.url)
    one.start()
    await connected(one, True)
    yield one
    await one.close()


async def connected(watcher: Watcher, wanted: bool, within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while watcher.connected is not wanted:
            await asyncio.sleep(0.01)


async def test_news_of_one_job_reaches_its_watchers_only(progress: RedisProgress, watcher: Watcher) -> None:
    with watcher.watch(A) as first, watcher.watch(A) as second, watcher.watch(B) as other:
        started = time.monotonic()
        await progress.publish([A])
        assert await first.wait(5)
        assert await second.wait(5)
        assert time.monotonic() - started < 1
        assert not await other.wait(0.1)
        assert not await first.wait(0.05), "the same news twice"


async def test_one_group_commit_tells_of_many_jobs(progress: RedisProgress, watcher: Watcher) -> None:
    jobs = [JobId(f"job_{number}") for number in range(2 * IDS_PER_MESSAGE)]
    with watcher.watch(jobs[0]) as first, watcher.watch(jobs[-1]) as last:
        await progress.publish(jobs)
        assert await first.wait(5)
        assert await last.wait(5)


async def test_who_waits_for_the_end_is_not_woken_by_each_step(progress: RedisProgress, watcher: Watcher) -> None:
    with watcher.watch(A, end_only=True) as end, watcher.watch(A) as every:
        await progress.publish([A, B], {B})
        assert await every.wait(5)
        assert not await end.wait(0.05)
        await progress.publish([A, B], {A})
        assert await every.wait(5)
        assert await end.wait(5)


async def test_news_before_the_wait_counts(progress: RedisProgress, watcher: Watcher) -> None:
    with watcher.watch(A) as news:
        await progress.publish([A])
        await asyncio.sleep(0.2)
        assert await news.wait(0)


async def test_nothing_is_kept_of_watchers_that_left(watcher: Watcher) -> None:
    with watcher.watch(A):
        pass
    assert not watcher._watched


async def test_losing_redis_wakes_those_who_wait_and_it_comes_back(
    redis_server: TestRedis, progress: RedisProgress, watcher: Watcher
) -> None:
    with watcher.watch(A) as news:
        redis_server.stop()
        assert await news.wait(8), "whoever waits must look for itself"
        assert not watcher.connected
        await progress.publish([A])
        redis_server.start()
        await connected(watcher, True)
        await news.wait(0)
        await asyncio.sleep(2.1)
        await progress.publish([A])
        assert await news.wait(5)


async def test_a_frozen_redis_is_noticed_and_publishing_stays_quick(
    redis_server: TestRedis, progress: RedisProgress, watcher: Watcher
) -> None:
    redis_server.freeze()
    started = time.monotonic()
    for _ in range(10):
        await progress.publish([A])
    assert time.monotonic() - started < 2.5
    await connected(watcher, False)
    redis_server.thaw()
    await connected(watcher, True)


async def test_a_watcher_starts_without_redis(redis_server: TestRedis) -> None:
    redis_server.stop()
    watcher = Watcher(redis_server.url)
    watcher.start()
    with watcher.watch(A) as news:
        assert not await news.wait(0.3)
    redis_server.start()
    await connected(watcher, True)
    await watcher.close()
