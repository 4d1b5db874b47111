"""Waiting for the job of a response: its snapshots on the way, and what becomes of it when its caller has left.

Who leaves a response that is not in the background cancels it, as with OpenAI. But a client that repeats its request
after a timeout leaves first and comes back, so that the job is cancelled only when nobody has come back after a while.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from fastapi import Request

from api.facade.shown import with_shown
from api.problems import HttpProblem
from api.services import Services, services_of
from api.views import is_final
from api.waiting import POLL_S, POLL_WITH_NEWS_S, job_after_wait
from domain.errors import DeliberateError, NotFound, Unavailable
from storage.records import JobRecord
from storage.response_records import ResponseRecord

PING_S = 10.0
GRACE_S = 8.0
"""OpenAI's clients pause at most this long before they repeat a request."""
ROUND_S = 3600.0
OUTAGE_S = 60.0
"""A stream outlives a database that is away for less."""

logger = logging.getLogger("deliberate.api")


async def snapshots(services: Services, record: ResponseRecord) -> AsyncIterator[ResponseRecord | None]:
    """The response as it is, then when its job has begun and when it has ended, with its output; None: still nothing
    new. A database that is away is waited for. Raises HttpProblem when this process ends before the job does, NotFound,
    and Unavailable after a minute without it."""
    seen = time.monotonic()
    for reached in (_has_begun, is_final):
        # Of a search that goes on there is news many times a second, and only its end is awaited.
        with services.watcher.watch(record.job.id, end_only=reached is is_final) as news:
            while not reached(record.job):
                if services.draining:
                    raise restarting()
                if not await news.wait(min(PING_S, POLL_WITH_NEWS_S if services.watcher.connected else POLL_S)):
                    yield None
                try:
                    record = replace(record, job=await services.jobs.get(record.job.tenant, record.job.id))
                    seen = time.monotonic()
                except Unavailable:
                    if time.monotonic() - seen > OUTAGE_S:
                        raise
        yield await with_shown(services, record)


async def attended(request: Request, record: ResponseRecord) -> ResponseRecord | None:
    """The response at its end, for the caller who waits for it; None when the caller has left, which cancels it unless
    somebody comes back. Raises HttpProblem, NotFound, Unavailable."""
    services = services_of(request)
    attachment = await services.responses.attach(record.job.tenant, record.id)
    found = await _ended(services, request, record)
    if found is None:
        departures: Departures = request.app.state.departures
        departures.left(services, record, attachment)
    return found


async def _ended(services: Services, request: Request, record: ResponseRecord) -> ResponseRecord | None:
    """The response at its end; None when the caller has left. Raises HttpProblem, NotFound, Unavailable."""
    while True:
        job = await job_after_wait(services, request, record.job.tenant, record.job.id, ROUND_S)
        record = replace(record, job=job)
        if is_final(job):
            return await with_shown(services, record)
        if services.draining:
            raise restarting()
        if await request.is_disconnected():
            return None


def restarting() -> HttpProblem:
    """The job goes on: a repeated request, or a look at the response, finds it."""
    headers = {"Retry-After": "2", "x-should-retry": "true"}
    message = "This server is restarting; the job goes on. Ask again, or read the response by its id."
    return HttpProblem(503, "service_unavailable", message, headers=headers)


class Departures:
    """Callers who left before the end, remembered for as long as they may come back."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[None]] = set()

    def left(self, services: Services, record: ResponseRecord, attachment: int) -> None:
        task = asyncio.create_task(_cancel_if_alone(services, record, attachment), name="departure")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Whoever may come back finds the job running."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)


async def _cancel_if_alone(services: Services, record: ResponseRecord, attachment: int) -> None:
    await asyncio.sleep(GRACE_S)
    try:
        job = await services.responses.left_alone(record.job.tenant, record.id, attachment)
        if job is not None:
            await services.jobs.cancel(record.job.tenant, job)
    except NotFound:
        return  # erased meanwhile
    except DeliberateError as error:
        logger.warning("%s was left by its caller and can't be cancelled: %s", record.job.id, error.message)


def _has_begun(job: JobRecord) -> bool:
    return job.started_at is not None or is_final(job)
