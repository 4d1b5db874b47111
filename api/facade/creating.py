"""From what was asked to the stored job and its response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from api.idempotency import REPLAYED, Trial
from api.services import services_of
from api.submission import Envelope, parse_submission
from domain.errors import InvalidRequest
from domain.facade.asked import Asked
from domain.facade.items import with_ids
from domain.webhook_events import Announces
from storage.response_records import NewResponse, ResponseRecord


@dataclass(frozen=True, slots=True)
class Created:
    record: ResponseRecord
    headers: Mapping[str, str]
    """`Idempotent-Replayed`, when an earlier attempt at the same request had made it."""


async def create_response(request: Request, trial: Trial, body: Mapping[str, Any], asked: Asked) -> Created:
    """Raises InvalidRequest in the caller's words, LimitReached, IdempotencyConflict, RequestInFlight, Unavailable."""
    services = services_of(request)
    envelope = Envelope(trial.tenant, services.settings.webhook_allowed_networks)
    try:
        job = parse_submission(asked.members, envelope)
    except InvalidRequest as error:
        raise asked.in_callers_words(error) from None
    items = with_ids(asked.items, job.id.partition("_")[2])
    new = NewResponse(asked.endpoint, asked.model, items, asked.echo, asked.stored)
    announces = Announces.RESPONSE if asked.background else Announces.NOTHING
    job = replace(job, attempt=trial.of(body), announces=announces)
    record, replayed = await services.responses.create(job, new)
    return Created(record, {REPLAYED: "true"} if replayed else {})
