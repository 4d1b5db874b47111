"""A job as it happens (server-sent events), and its whole trace as one file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api.documented import errors
from api.security import Caller
from api.services import Services, services_of
from api.telling import Position
from api.views import event_view, is_final
from domain.errors import InvalidRequest
from domain.ids import TenantId

PING_S = 12.0
PAGE = 500
RETRY_MS = 2000
"""How long a browser waits before it connects again."""
LAST_SEQ = 2**31 - 1
BEFORE_ALL: Position = (-1, 0)

POSITION = r"^(-1|[0-9]{1,9}(\.[0-9]{1,5})?)?$"
"""Empty: as if left out."""
KINDS = (
    "job.queued", "job.started", "node.added", "node.sampled", "node.scored", "node.failed", "node.pruned", "verdict",
    "job.released", "job.stopped",
)  # fmt: skip

_ID = re.compile(r"^(\d{1,10})(?:\.(\d{1,5}))?$", re.ASCII)
_SSE: dict[str, Any] = {
    200: {
        "description": f"Events: {', '.join(KINDS)}. `verdict` is the best answer so far; `job.stopped` is the last.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "Each event of the stream.",
                    "properties": {
                        "id": {"type": "string", "pattern": r"^\d+\.\d+$"},
                        "event": {"type": "string", "enum": list(KINDS)},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                        "retry": {"type": "integer"},
                    },
                },
                "example": 'id: 2.0\nevent: node.added\ndata: {"type":"node.added","seq":2,"node":1,"parent":0}\n\n',
            }
        },
    },
    204: {"description": "The job has ended and there is nothing after `Last-Event-ID`: a browser stops to reconnect."},
}
_LINES: dict[str, Any] = {
    200: {
        "description": "One event a line, from the first to the last.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}
_LAST_EVENT_ID: dict[str, Any] = {
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": POSITION},
            "description": "The `id` of the last event seen; `-1`, or left out: from the start.",
        }
    ]
}

router = APIRouter(tags=["jobs"])


@router.get(
    "/v1/reasoning/jobs/{job_id}/events",
    response_class=Response,
    responses=errors(404, 422) | _SSE,
    openapi_extra=_LAST_EVENT_ID,
)
async def events(
    request: Request,
    caller: Caller,
    job_id: str,
    last_event_id: Annotated[
        str | None, Query(description="For those who can't set the header.", pattern=POSITION)
    ] = None,
) -> Response:
    """The search as it happens; it ends with the job. Reconnect with `Last-Event-ID` and nothing is lost or doubled."""
    services = services_of(request)
    header = request.headers.get("last-event-id")
    position = parse_position(last_event_id if header is None else header)
    job = await services.jobs.get(caller.tenant, job_id)
    if is_final(job) and await _nothing_after(services, caller.tenant, job_id, position):
        return Response(status_code=204)
    services.feeds.check_room()
    body = _events(services, caller.tenant, job_id, position)
    return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/v1/reasoning/jobs/{job_id}/trace.jsonl", response_class=Response, responses=errors(404) | _LINES)
async def trace_file(request: Request, caller: Caller, job_id: str) -> Response:
    """The whole trace as one download."""
    services = services_of(request)
    await services.jobs.get(caller.tenant, job_id)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.jsonl"'}
    return StreamingResponse(
        _trace(services, caller.tenant, job_id), media_type="application/x-ndjson", headers=headers
    )


def parse_position(text: str | None) -> Position:
    """The place in a stream that an event's id names: `7` is all of event 7. Raises InvalidRequest."""
    if text is None or text.strip() in ("", "-1"):
        return BEFORE_ALL
    match = _ID.match(text.strip())
    if match is None or int(match[1]) > LAST_SEQ:
        raise InvalidRequest("Last-Event-ID must be the id of an event, or -1", param="Last-Event-ID")
    return int(match[1]), sys.maxsize if match[2] is None else int(match[2])


async def _nothing_after(services: Services, tenant: TenantId, job_id: str, position: Position) -> bool:
    """Of a job that has ended: its last event has one message, so that whoever saw a part of it saw all."""
    found, _ = await services.traces.page(tenant, job_id, after=position[0], limit=1)
    return not found


async def _events(services: Services, tenant: TenantId, job_id: str, position: Position) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    with services.feeds.follow(job_id) as feed:
        while not services.draining:
            changed = feed.changed
            messages = feed.since(position)
            if messages is None:
                async for message in services.feeds.earlier(tenant, job_id, position):
                    position = message.at
                    yield message.data
            elif messages:
                position = messages[-1].at
                yield b"".join(message.data for message in messages)
            elif feed.over:
                return
            elif not await _set_within(changed, PING_S):
                yield b": ping\n\n"


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        # `wait_for` makes a task for each wait, which counts with hundreds of streams.
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def _trace(services: Services, tenant: TenantId, job_id: str) -> AsyncIterator[bytes]:
    after, more = -1, True
    while more:
        found, more = await services.traces.page(tenant, job_id, after=after, limit=PAGE)
        after = found[-1].seq if found else after
        # ASCII: a model may write what UTF-8 has no bytes for.
        rows = (json.dumps(event_view(event), allow_nan=False, separators=(",", ":")) for event in found)
        yield "".join(row + "\n" for row in rows).encode("ascii")
