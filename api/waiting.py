"""`Prefer: wait=N` (RFC 7240, 4.3): answer when the job has ended, at the latest after N seconds.

Redis says when to look, Postgres what there is. Without Redis we look twice a second; with it, news may still be lost,
so that we look every few seconds all the same.
"""

from __future__ import annotations

import asyncio
import re
import time

from fastapi import Request

from api.services import Services
from api.views import is_final
from domain.ids import TenantId
from storage.records import JobRecord

LONGEST_WAIT_S = 60
POLL_S = 0.5
POLL_WITH_NEWS_S = 5.0
QUICKEST_S = 0.1
"""A busy job has news many times a second; its status is read at most this often for each waiting caller."""

_WAIT = re.compile(r'^wait\s*=\s*"?(\d{1,9})"?\s*$', re.IGNORECASE)


def preferred_wait_s(request: Request) -> int | None:
    """The wait that we apply, or None when there is no such preference (one that can't be read is ignored)."""
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            match = _WAIT.match(preference.split(";")[0].strip())
            if match:
                return min(int(match[1]), LONGEST_WAIT_S)
    return None


async def job_after_wait(
    services: Services, request: Request, tenant: TenantId, job_id: str, wait_s: float | None
) -> JobRecord:
    """The job, when it is final or the time is over. Raises NotFound, Unavailable."""
    deadline = time.monotonic() + (wait_s or 0)
    with services.watcher.watch(job_id, end_only=True) as news:
        while True:
            job = await services.jobs.get(tenant, job_id)
            looked = time.monotonic()
            if is_final(job) or services.draining or looked >= deadline:
                return job
            poll_s = POLL_WITH_NEWS_S if services.watcher.connected else POLL_S
            await news.wait(min(poll_s, deadline - looked))
            if await request.is_disconnected():
                return job
            await asyncio.sleep(max(0.0, looked + QUICKEST_S - time.monotonic()))
