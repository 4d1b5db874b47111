"""Responses as OpenAI has them, each the view of one job: in the background, waited for, or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from api.documented import body_of, errors
from api.facade import schemas
from api.facade.creating import create_response
from api.facade.documented import STREAM
from api.facade.errors import FacadeRoute
from api.facade.following import Departures, attended, snapshots
from api.facade.shown import with_shown
from api.facade.sse import PING, event_stream, typed
from api.idempotency import Trials
from api.json_body import read_object
from api.json_response import Json
from api.security import Caller
from api.services import Services, services_of
from api.views import is_final
from api.waiting import job_after_wait
from domain.errors import NotFound
from domain.facade.asked import read_response
from domain.facade.items import Item
from domain.facade.log import log_of
from domain.facade.refusals import refused
from domain.facade.views import message_item, response_view
from domain.ids import TenantId
from storage.response_records import ResponseRecord

CANCEL_WAIT_S = 5.0
"""A search that is asked to stop does so within seconds; callers of `cancel` look at the status that they get."""

NOTHING: Mapping[str, str] = {}

router = APIRouter(tags=["openai"], route_class=FacadeRoute)


@router.post(
    "/v1/responses",
    response_model=schemas.Response,
    responses=errors(400, 404, 408, 413, 415, 422) | STREAM,
    openapi_extra=body_of(schemas.ResponseRequest),
)
async def create(request: Request, caller: Caller, trial: Trials) -> Response:
    """Ask for a response: at once with `background`, at its end, or as server-sent events with `stream`."""
    services = services_of(request)
    body, _ = await read_object(request)
    before = await _conversation(services, caller.tenant, body.get("previous_response_id"))
    asked = read_response(body, before, services.catalogue)
    created = await create_response(request, trial, body, asked)
    record = created.record
    if asked.stream:
        return await _stream(request, services, record, -1, created.headers)
    if asked.background:
        return Json(response_view(await with_shown(services, record)), headers=created.headers)
    found = await attended(request, record)
    if found is None:
        return Response(status_code=204)  # nobody reads it
    return Json(response_view(found), headers=created.headers)


@router.get("/v1/responses/{response_id}", response_model=schemas.Response, responses=errors(400, 404) | STREAM)
async def retrieve(
    request: Request,
    caller: Caller,
    response_id: str,
    stream: Annotated[bool, Query(description="The log as server-sent events, from its first event on.")] = False,
    starting_after: Annotated[
        int | None, Query(ge=-1, description="Only events with a higher sequence_number.")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(pattern=r"^(-1|[0-9]{1,9})$", description="As `starting_after`: readers that reconnect say so."),
    ] = None,
) -> Response:
    """The response as it is now, or its stream: from the start, or taken up after an event."""
    services = services_of(request)
    record = await services.responses.get(caller.tenant, response_id)
    if stream:
        after = starting_after if starting_after is not None else int(last_event_id or -1)
        return await _stream(request, services, record, after)
    return Json(response_view(await with_shown(services, record)))


@router.post("/v1/responses/{response_id}/cancel", response_model=schemas.Response, responses=errors(404))
async def cancel(request: Request, caller: Caller, response_id: str) -> Json:
    """End the response. One that has ended is returned as it is."""
    services = services_of(request)
    record = await services.responses.get(caller.tenant, response_id)
    await services.jobs.cancel(caller.tenant, record.job.id, caller.key_id)
    await job_after_wait(services, request, caller.tenant, record.job.id, CANCEL_WAIT_S)
    return Json(response_view(await with_shown(services, await services.responses.get(caller.tenant, response_id))))


@router.delete("/v1/responses/{response_id}", response_model=schemas.Deleted, responses=errors(404))
async def delete(request: Request, caller: Caller, response_id: str) -> Json:
    """Erase the response and its job: prompt, trace and answer are gone. One that runs is cancelled."""
    services = services_of(request)
    record = await services.responses.get(caller.tenant, response_id)
    await services.erasure.erase(caller.tenant, record.job.id, caller.key_id)
    return Json({"id": response_id, "object": "response", "deleted": True})


@router.get("/v1/responses/{response_id}/input_items", response_model=schemas.ItemList, responses=errors(400, 404))
async def input_items(
    request: Request,
    caller: Caller,
    response_id: str,
    after: Annotated[str | None, Query(max_length=64, description="The last id of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> Json:
    """The conversation that the policy was asked about, in pages."""
    record = await services_of(request).responses.get(caller.tenant, response_id)
    items = record.items if order == "asc" else record.items[::-1]
    first = _index_after(items, after)
    data = items[first : first + limit]
    page: dict[str, Any] = {"object": "list", "data": data, "has_more": first + limit < len(items)}
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return Json(page | ends)


async def _stream(
    request: Request, services: Services, record: ResponseRecord, after: int, headers: Mapping[str, str] = NOTHING
) -> Response:
    departures: Departures = request.app.state.departures
    attachment = None
    if not record.request["background"] and not is_final(record.job):
        attachment = await services.responses.attach(record.job.tenant, record.id)
    return event_stream(request, _events(services, departures, record, after, attachment), headers)


async def _events(
    services: Services, departures: Departures, record: ResponseRecord, after: int, attachment: int | None
) -> AsyncIterator[bytes]:
    """What the log has beyond number `after`, as it grows."""
    try:
        if not is_final(record.job):
            for event in log_of(record)[after + 1 :]:
                yield typed(event)
                after = event["sequence_number"]
        async for now in snapshots(services, record):
            if now is None:
                yield PING
                continue
            for event in log_of(now)[after + 1 :]:
                yield typed(event)
                after = event["sequence_number"]
    except BaseException:
        if attachment is not None:
            departures.left(services, record, attachment)
        raise


async def _conversation(services: Services, tenant: TenantId, previous: object) -> Sequence[Item]:
    """The items of a response and its answer, which the next turn goes on from. Raises InvalidRequest."""
    if previous is None:
        return ()
    param = "previous_response_id"
    if not isinstance(previous, str):
        raise refused("previous_response_id must be the id of a response", param)
    try:
        record = await services.responses.get(tenant, previous)
    except NotFound:
        raise refused("no such response: check previous_response_id", param, "previous_response_not_found") from None
    if not is_final(record.job):
        raise refused("the previous response has not ended: wait for its end before going on", param)
    record = await with_shown(services, record)
    return [*record.items, message_item(record)] if record.shown else record.items


def _index_after(items: Sequence[Item], after: str | None) -> int:
    if after is None:
        return 0
    at = next((index for index, item in enumerate(items) if item["id"] == after), None)
    if at is None:
        raise NotFound("no such item: after must be the id of an item of the page before", param="after")
    return at + 1
