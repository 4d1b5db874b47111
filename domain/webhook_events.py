"""Which webhook events there are, and which of them the end of a job is.

OpenAI's types have OpenAI's shape and are all that its clients know: an unknown type breaks them. So an endpoint takes
either OpenAI's types or ours, never both.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from domain.errors import InvalidRequest
from domain.job import FINAL, JobStatus

JOB_EVENTS = ("job.completed", "job.incomplete", "job.failed", "job.cancelled")
RESPONSE_EVENTS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
BATCH_EVENTS = ("batch.completed", "batch.failed", "batch.expired", "batch.cancelled")
EVENT_TYPES = (*RESPONSE_EVENTS, *BATCH_EVENTS, *JOB_EVENTS)


class Announces(StrEnum):
    """What the end of a job is to those who subscribed to events."""

    JOB = "job"
    """A native job: `job.*`, with its result."""
    RESPONSE = "response"
    """A background response of the OpenAI-compatible surface: `response.*`, with its id only."""
    NOTHING = "nothing"
    """A synchronous answer: whoever asked for it has it."""
    BATCH = "batch"
    """A line of a batch: the batch is announced, and the lines are in no list of jobs but their batch's."""


_ANNOUNCED = frozenset({Announces.JOB, Announces.RESPONSE})


def event_of(announces: Announces, status: JobStatus) -> str | None:
    """The event type of this end; None when it is not announced."""
    return f"{announces.value}.{status.value}" if announces in _ANNOUNCED and status in FINAL else None


def object_of(announces: Announces, job: str) -> str:
    """The id that the event names: a response is its job, under its own prefix."""
    return job if announces is not Announces.RESPONSE else "resp_" + job.removeprefix("job_")


def parse_endpoint_events(value: object) -> tuple[str, ...]:
    """The event types of an endpoint, in our order. Raises InvalidRequest."""
    types = _known(value, EVENT_TYPES, "event_types")
    if any(kind in JOB_EVENTS for kind in types) and any(kind not in JOB_EVENTS for kind in types):
        raise InvalidRequest(
            "event_types mixes job.* with OpenAI's types, which OpenAI's clients can't read: make two endpoints",
            param="event_types",
        )
    return types


def parse_job_events(value: object) -> tuple[str, ...] | None:
    """The `webhook_events` of a job; None (all of them) when it is left out. Raises InvalidRequest."""
    return None if value is None else _known(value, JOB_EVENTS, "webhook_events")


def _known(value: object, known: Sequence[str], param: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"{param} must be a list of at least one event type", param=param)
    for kind in value:
        if kind not in known:
            raise InvalidRequest(f"{param} has an unknown event type: use {', '.join(known)}", param=param)
    return tuple(kind for kind in known if kind in value)
