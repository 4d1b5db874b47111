"""For probes and scrapers: no key is needed and no tenant's data is given.

Ready means that jobs can be stored, which needs Postgres alone. Without Redis or engines jobs wait: "degraded".
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api.json_response import Json
from api.services import Services, services_of
from domain.errors import Unavailable
from messaging.presence import PARTS
from storage.gauges import delivery_counts, outbox_depth

PATIENCE_S = 2.0

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> Json:
    """The process is alive."""
    return Json({"status": "ok"})


@router.get("/readyz", responses={503: {"description": "Postgres can't be reached: nothing can be stored."}})
async def readyz(request: Request) -> Json:
    """200 when jobs can be stored; `degraded` and the missing parts when they would have to wait."""
    services = services_of(request)
    postgres, parts = await asyncio.gather(_postgres(services), _parts(services))
    checks = {"postgres": postgres, **parts}
    missing = [part for part, state in checks.items() if state != "ok"]
    if postgres != "ok":
        return Json({"status": "unavailable", "missing": missing, "checks": checks}, 503, {"Retry-After": "2"})
    return Json({"status": "degraded" if missing else "ready", "missing": missing, "checks": checks})


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus text."""
    services = services_of(request)
    try:
        async with asyncio.timeout(PATIENCE_S):
            services.metrics.database(
                jobs=await services.jobs.counts(),
                deliveries=await delivery_counts(services.database),
                oldest_queued_s=await services.jobs.oldest_queued_s(),
                outbox_depth=await outbox_depth(services.database),
            )
    except (Unavailable, TimeoutError):
        services.metrics.database_down()
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _postgres(services: Services) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await services.database.ping()
    except (Unavailable, TimeoutError):
        return "unreachable"
    return "ok" if services.bootstrapped else "starting"


async def _parts(services: Services) -> dict[str, Any]:
    try:
        alive = await services.presence.alive()
    except Unavailable:
        return {"redis": "unreachable"} | dict.fromkeys(PARTS, "unknown")
    return {"redis": "ok"} | {part: "ok" if part in alive else "missing" for part in PARTS}
