"""The life of a job as its owner sees it. Every query is scoped by the caller's tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import WithJsonSchema

from api import schemas
from api.documented import STORED, SUBMISSION, WAIT, errors
from api.filters import METADATA_FILTER, metadata_filter
from api.idempotency import REPLAYED, OnceRoute, Trials
from api.json_body import read_object
from api.json_response import Json
from api.security import Caller
from api.services import services_of
from api.submission import Envelope, parse_submission
from api.times import TIME_SCHEMA, parse_time
from api.views import estimate_of, event_view, is_final, job_view, origin
from api.waiting import job_after_wait, preferred_wait_s
from domain.ids import id_pattern
from domain.job import JobStatus
from storage.filters import JobFilter
from storage.records import JobRecord

RETRY_AFTER_S = "1"
LAST_SEQ = 2**31 - 1

Time = Annotated[str | None, WithJsonSchema(TIME_SCHEMA)]

router = APIRouter(tags=["jobs"], route_class=OnceRoute)


@router.post(
    "/v1/reasoning/jobs",
    status_code=202,
    response_model=schemas.Job,
    responses=errors(400, 408, 413, 415, 422) | STORED,
    openapi_extra=SUBMISSION,
)
async def submit(request: Request, caller: Caller, trial: Trials) -> Json:
    """Store a problem to be solved. The job is safe when this answers."""
    services = services_of(request)
    envelope = Envelope(caller.tenant, services.settings.webhook_allowed_networks, trial)
    body, _ = await read_object(request)
    job, replayed = await services.jobs.submit(parse_submission(body, envelope))
    headers = {"Location": f"{origin(request)}/v1/reasoning/jobs/{job.id}"}
    if replayed:
        headers[REPLAYED] = "true"
    return await _answer(request, job, 202, headers)


@router.get("/v1/reasoning/jobs", response_model=schemas.JobList, responses=errors(422), openapi_extra=METADATA_FILTER)
async def page(
    request: Request,
    caller: Caller,
    status: Annotated[tuple[JobStatus, ...], Query(description="One of these.", max_length=6)] = (),
    label: Annotated[
        tuple[str, ...], Query(description="All of these; the id of a batch: the jobs of its lines.", max_length=16)
    ] = (),
    created_after: Annotated[Time, Query(description="Unix seconds or RFC 3339; itself included.")] = None,
    created_before: Annotated[Time, Query(description="Unix seconds or RFC 3339; itself left out.")] = None,
    after: Annotated[
        str | None, Query(description="The last id of the page before.", pattern=id_pattern("job"))
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Json:
    """The caller's jobs, newest first; those of a batch's lines only by the batch's label, its id."""
    wanted = JobFilter(
        statuses=status,
        labels=label,
        metadata=metadata_filter(request),
        created_from=None if created_after is None else parse_time(created_after, "created_after"),
        created_until=None if created_before is None else parse_time(created_before, "created_before"),
    )
    jobs, has_more = await services_of(request).jobs.page(caller.tenant, wanted=wanted, after=after, limit=limit)
    base = origin(request)
    last_id = jobs[-1].id if jobs else None
    data = [job_view(job, base) for job in jobs]
    return Json({"object": "list", "data": data, "has_more": has_more, "last_id": last_id})


@router.get("/v1/reasoning/jobs/{job_id}", response_model=schemas.Job, responses=errors(404), openapi_extra=WAIT)
async def status(request: Request, caller: Caller, job_id: str) -> Json:
    """The job as it is now, or as it is when it has ended (`Prefer: wait=N`)."""
    return await _status(request, caller, job_id, 200)


@router.get(
    "/v1/reasoning/jobs/{job_id}/result",
    response_model=schemas.Job,
    responses=errors(404) | {202: {"model": schemas.Job, "description": "Not ended yet."}},
    openapi_extra=WAIT,
)
async def result(request: Request, caller: Caller, job_id: str) -> Json:
    """The ended job; 202 as long as it has not ended."""
    return await _status(request, caller, job_id, 202)


@router.get("/v1/reasoning/jobs/{job_id}/trace", response_model=schemas.TracePage, responses=errors(404, 422))
async def trace(
    request: Request,
    caller: Caller,
    job_id: str,
    after: Annotated[int, Query(ge=-1, le=LAST_SEQ, description="Sequence number of the last event seen.")] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """The job's events in order."""
    events, has_more = await services_of(request).traces.page(caller.tenant, job_id, after=after, limit=limit)
    next_after = events[-1].seq if events else after
    data = [event_view(event) for event in events]
    return Json({"object": "list", "data": data, "has_more": has_more, "next_after": next_after})


@router.post("/v1/reasoning/jobs/{job_id}/cancel", response_model=schemas.Job, responses=errors(404))
async def cancel(request: Request, caller: Caller, job_id: str) -> Json:
    """End the job: at once when it is queued, soon when it runs. One that has ended is returned as it is."""
    job = await services_of(request).jobs.cancel(caller.tenant, job_id, caller.key_id)
    return await _answer(request, job, 200, {})


@router.delete("/v1/reasoning/jobs/{job_id}", response_model=schemas.DeletedJob, responses=errors(404))
async def delete(request: Request, caller: Caller, job_id: str) -> Json:
    """Erase the job with its prompt, trace, answer and webhooks. One that runs is cancelled, and erased at its end."""
    await services_of(request).erasure.erase(caller.tenant, job_id, caller.key_id)
    return Json({"id": job_id, "object": "reasoning.job.deleted", "deleted": True})


async def _status(request: Request, caller: Caller, job_id: str, status_while_open: int) -> Json:
    wait_s = preferred_wait_s(request)
    job = await job_after_wait(services_of(request), request, caller.tenant, job_id, wait_s)
    headers = {} if wait_s is None else {"Preference-Applied": f"wait={wait_s}"}
    return await _answer(request, job, 200 if is_final(job) else status_while_open, headers)


async def _answer(request: Request, job: JobRecord, status_code: int, headers: dict[str, str]) -> Json:
    position = estimate = None
    if job.status is JobStatus.QUEUED:
        position = job.queue_position
        if position is None:
            position = await services_of(request).jobs.queue_position(job.id)
    if not is_final(job):
        headers["Retry-After"] = RETRY_AFTER_S
        estimate = estimate_of(job, position, await services_of(request).pace.pace(job.tenant))
    return Json(job_view(job, origin(request), position, estimate), status_code, headers)
