"""A response as it is stored and read: a row of its own beside its job's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Select

from domain.errors import NotFound
from domain.ids import TenantId
from domain.ports import NewJob
from storage.records import NOT_ERASED, JobRecord, job_record, select_jobs
from storage.tables import jobs, responses

RESPONSE = "resp"
CHAT = "chatcmpl"
PREFIXES = {"responses": RESPONSE, "chat.completions": CHAT}
_OWN = ("model", "items", "request", "stored", "attachments", "shown")


@dataclass(frozen=True, slots=True)
class NewResponse:
    """What is stored beside the job; texts stay out of the repr."""

    endpoint: str
    """`responses` or `chat.completions`."""
    model: str
    items: Sequence[Mapping[str, Any]] = field(repr=False)
    request: Mapping[str, Any] = field(repr=False)
    stored: bool
    """False: nobody can read it later, and the job is erased soon after its end."""


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    id: str
    model: str
    items: list[dict[str, Any]] = field(repr=False)
    request: dict[str, Any] = field(repr=False)
    stored: bool
    attachment: int
    """The number of the last caller that began to wait."""
    shown: list[dict[str, Any]] | None = field(repr=False)
    """Solutions that are the output, with `text`, `answer` and `tokens`; None: not taken from the trace yet."""
    job: JobRecord


def response_id(endpoint: str, job: str) -> str:
    """The id of the response that shows this job."""
    return f"{PREFIXES[endpoint]}_{job.partition('_')[2]}"


def response_row(response: str, job: NewJob, new: NewResponse) -> dict[str, Any]:
    return {
        "id": response,
        "tenant_id": job.tenant,
        "job_id": job.id,
        "endpoint": new.endpoint,
        "model": new.model,
        "items": list(new.items),
        "request": dict(new.request),
        "stored": new.stored,
    }


def select_response(tenant: TenantId, response: str) -> Select[Any]:
    own = [responses.c[name].label(f"response_{name}") for name in ("id", *_OWN)]
    query = select_jobs().add_columns(*own).join(responses, responses.c.job_id == jobs.c.id)
    return query.where(responses.c.id == response, responses.c.tenant_id == tenant, NOT_ERASED)


def response_record(row: RowMapping) -> ResponseRecord:
    return ResponseRecord(
        id=row["response_id"],
        model=row["response_model"],
        items=row["response_items"],
        request=row["response_request"],
        stored=row["response_stored"],
        attachment=row["response_attachments"],
        shown=row["response_shown"],
        job=job_record(row),
    )


def unknown_response() -> NotFound:
    return NotFound("no such response: check its id")
