"""Batches as OpenAI's clients call them, and our own view of the same batches with pause, progress and results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api import batch_schemas as schemas
from api.batch_views import BATCHES, batch_view, native_view
from api.documented import body_of, errors
from api.facade.errors import FacadeRoute
from api.idempotency import REPLAYED, OnceRoute, Trials
from api.json_body import read_object
from api.json_response import Json
from api.result_tables import FORMATS, need_parquet
from api.security import Caller
from api.services import Services, services_of
from api.views import origin
from domain.batch import MAX_LINES, NATIVE, parse_batch
from domain.ids import TenantId
from storage.batch_reading import LineResult
from storage.batches import BatchRecord

router = APIRouter(tags=["batches"], route_class=FacadeRoute)
native = APIRouter(tags=["batches"], route_class=OnceRoute)

CREATION = body_of(schemas.BatchCreation)
After = Annotated[str | None, Query(description="The last id of the page before.", max_length=64)]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post(
    "/v1/batches",
    response_model=schemas.Batch,
    responses=errors(400, 404, 408, 413, 415),
    openapi_extra=CREATION,
)
async def create(request: Request, caller: Caller, trial: Trials) -> Json:
    """Begin a batch over an uploaded file of requests."""
    body, _ = await read_object(request)
    batch, replayed = await services_of(request).batches.create(caller.tenant, parse_batch(body), trial.of(body))
    return await _openai(request, batch, _replayed(replayed))


@router.get("/v1/batches", response_model=schemas.BatchList, responses=errors(400))
async def page(request: Request, caller: Caller, after: After = None, limit: Limit = 20) -> Json:
    """The caller's batches, newest first."""
    services = services_of(request)
    found, has_more = await services.batches.page(caller.tenant, after=after, limit=limit)
    data = [batch_view(one, await services.batches.errors(one)) for one in found]
    first, last = (found[0].id, found[-1].id) if found else (None, None)
    return Json({"object": "list", "data": data, "has_more": has_more, "first_id": first, "last_id": last})


@router.get("/v1/batches/{batch_id}", response_model=schemas.Batch, responses=errors(404))
async def retrieve(request: Request, caller: Caller, batch_id: str) -> Json:
    """A batch as it is now."""
    return await _openai(request, await services_of(request).batches.get(caller.tenant, batch_id))


@router.post("/v1/batches/{batch_id}/cancel", response_model=schemas.Batch, responses=errors(404))
async def cancel(request: Request, caller: Caller, batch_id: str) -> Json:
    """Start no more lines and stop those that run; what is finished is kept. An ended batch is returned as it is."""
    return await _openai(request, await services_of(request).batches.cancel(caller.tenant, batch_id, caller.key_id))


@native.post(
    "/v1/reasoning/batches",
    response_model=schemas.ReasoningBatch,
    responses=errors(400, 404, 408, 413, 415, 422),
    openapi_extra=CREATION,
)
async def create_native(request: Request, caller: Caller, trial: Trials) -> Json:
    """Begin a batch over a file of problems: lines `{"id", "problem", …}`, or requests with method, url and body."""
    body, _ = await read_object(request)
    request_for = parse_batch(body, NATIVE)
    batch, replayed = await services_of(request).batches.create(caller.tenant, request_for, trial.of(body))
    location = {"Location": f"{origin(request)}{BATCHES}/{batch.id}"}
    return await _native(request, batch, location | _replayed(replayed))


@native.get("/v1/reasoning/batches", response_model=schemas.ReasoningBatchList, responses=errors(422))
async def page_native(request: Request, caller: Caller, after: After = None, limit: Limit = 20) -> Json:
    """The caller's batches, newest first; their errors are in each one's own view."""
    found, has_more = await services_of(request).batches.page(caller.tenant, after=after, limit=limit)
    data = [native_view(one, [], origin(request)) for one in found]
    last = found[-1].id if found else None
    return Json({"object": "list", "data": data, "has_more": has_more, "last_id": last})


@native.get("/v1/reasoning/batches/{batch_id}", response_model=schemas.ReasoningBatch, responses=errors(404))
async def retrieve_native(request: Request, caller: Caller, batch_id: str) -> Json:
    """Progress: counts, cost so far, and an estimate of the rest."""
    return await _native(request, await services_of(request).batches.get(caller.tenant, batch_id))


@native.delete("/v1/reasoning/batches/{batch_id}", response_model=schemas.BatchDeleted, responses=errors(404))
async def delete(request: Request, caller: Caller, batch_id: str) -> Json:
    """Erase a batch with its files, lines and jobs; one that runs is cancelled first. It is gone from every view now,
    from the database soon."""
    await services_of(request).batch_erasure.request(caller.tenant, batch_id, caller.key_id)
    return Json({"id": batch_id, "object": "reasoning.batch", "deleted": True})


@native.post("/v1/reasoning/batches/{batch_id}/cancel", response_model=schemas.ReasoningBatch, responses=errors(404))
async def cancel_native(request: Request, caller: Caller, batch_id: str) -> Json:
    """Start no more lines and stop those that run; what is finished is kept."""
    return await _native(request, await services_of(request).batches.cancel(caller.tenant, batch_id, caller.key_id))


@native.post("/v1/reasoning/batches/{batch_id}/pause", response_model=schemas.ReasoningBatch, responses=errors(404))
async def pause(request: Request, caller: Caller, batch_id: str) -> Json:
    """Start no more lines for now; those that run go on. The completion window does not stand still."""
    return await _native(request, await services_of(request).batches.pause(caller.tenant, batch_id))


@native.post("/v1/reasoning/batches/{batch_id}/resume", response_model=schemas.ReasoningBatch, responses=errors(404))
async def resume(request: Request, caller: Caller, batch_id: str) -> Json:
    """Go on with a paused batch."""
    return await _native(request, await services_of(request).batches.resume(caller.tenant, batch_id))


@native.get(
    "/v1/reasoning/batches/{batch_id}/results",
    response_model=schemas.ResultPage,
    responses=errors(404, 422) | {501: {"description": "Parquet was asked for and pyarrow is not installed."}},
)
async def results(
    request: Request,
    caller: Caller,
    batch_id: str,
    after: Annotated[int, Query(ge=0, le=MAX_LINES, description="Line number of the last result seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    format: Annotated[Literal["json", "jsonl", "csv", "parquet"], Query(description="json: one page.")] = "json",
) -> Response:
    """What became of each ended line, in the file's order, also while the batch runs; other formats give all."""
    services = services_of(request)
    if format != "json":
        await services.batches.get(caller.tenant, batch_id)
        return _download(services, caller.tenant, batch_id, after, format)
    found, has_more = await services.results.page(caller.tenant, batch_id, after=after, limit=limit)
    next_after = found[-1].line if found else after
    data = [asdict(one) for one in found]
    return Json({"object": "list", "data": data, "has_more": has_more, "next_after": next_after})


def _download(services: Services, tenant: TenantId, batch_id: str, after: int, kind: str) -> Response:
    if kind == "parquet":
        need_parquet()
    write, media_type = FORMATS[kind]
    name = f"{batch_id}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(write(_pages(services, tenant, batch_id, after)), headers=headers, media_type=media_type)


async def _pages(services: Services, tenant: TenantId, batch_id: str, after: int) -> AsyncIterator[list[LineResult]]:
    more = True
    while more:
        found, more = await services.results.page(tenant, batch_id, after=after)
        if found:
            after = found[-1].line
            yield found


async def _openai(request: Request, batch: BatchRecord, headers: dict[str, str] | None = None) -> Json:
    return Json(batch_view(batch, await services_of(request).batches.errors(batch)), headers=headers)


def _replayed(replayed: bool) -> dict[str, str]:
    return {REPLAYED: "true"} if replayed else {}


async def _native(request: Request, batch: BatchRecord, headers: dict[str, str] | None = None) -> Json:
    errors = await services_of(request).batches.errors(batch)
    return Json(native_view(batch, errors, origin(request)), headers=headers)
