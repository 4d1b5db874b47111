"""Chat completions as OpenAI has them, over jobs. The caller waits; a caller who leaves cancels."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.documented import body_of, errors
from api.facade import schemas
from api.facade.creating import create_response
from api.facade.documented import STREAM
from api.facade.errors import FacadeRoute
from api.facade.following import Departures, attended, snapshots
from api.facade.sse import DONE, PING, event_stream, untyped
from api.idempotency import Trials
from api.json_body import read_object
from api.json_response import Json
from api.problems import HttpProblem
from api.security import Caller
from api.services import Services, services_of
from domain.facade.asked import read_chat
from domain.facade.chat_views import closing_chunks, completion_view, has_failed, opening_chunks
from storage.response_records import ResponseRecord

router = APIRouter(tags=["openai"], route_class=FacadeRoute)


@router.post(
    "/v1/chat/completions",
    response_model=schemas.ChatCompletion,
    responses=errors(400, 404, 408, 413, 415, 422) | STREAM,
    openapi_extra=body_of(schemas.ChatRequest),
)
async def complete(request: Request, caller: Caller, trial: Trials) -> Response:
    """Answer a conversation: whole, or as server-sent events with `stream`."""
    services = services_of(request)
    body, _ = await read_object(request)
    asked = read_chat(body, services.catalogue)
    created = await create_response(request, trial, body, asked)
    record = created.record
    if asked.stream:
        attachment = await services.responses.attach(caller.tenant, record.id)
        departures: Departures = request.app.state.departures
        chunks = _chunks(services, departures, record, attachment, asked.stream_usage)
        return event_stream(request, chunks, created.headers)
    found = await attended(request, record)
    if found is None:
        return Response(status_code=204)  # nobody reads it
    if has_failed(found):
        raise _failure(found)
    return Json(completion_view(found), headers=created.headers)


async def _chunks(
    services: Services, departures: Departures, record: ResponseRecord, attachment: int, usage: bool
) -> AsyncIterator[bytes]:
    try:
        for chunk in opening_chunks(record):
            yield untyped(chunk)
        async for now in snapshots(services, record):
            record = now or record
            if now is None:
                yield PING
    except BaseException:
        departures.left(services, record, attachment)
        raise
    if has_failed(record):
        raise _failure(record)
    for chunk in closing_chunks(record, usage=usage):
        yield untyped(chunk)
    yield DONE


def _failure(record: ResponseRecord) -> HttpProblem:
    """A repeated request would find the same job: the client must not try."""
    message = record.job.error.message if record.job.error else "The job failed."
    return HttpProblem(500, "server_error", message, headers={"x-should-retry": "false"})
