"""Stored records as JSON, in the shapes of `api.schemas`. Times are Unix seconds."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, fields
from datetime import datetime
from typing import Any

from fastapi import Request

from domain.codec import encode
from domain.effort import EFFORTS, adaptive_for
from domain.estimating import Estimate, Pace, estimate_queued, estimate_running
from domain.facade.usage import native_usage
from domain.facade.views import JOBS
from domain.job import FINAL, JobStatus
from domain.recipe import DEFAULT_STRATEGY, StrategySpec, spec_to_json
from domain.specs.adaptive import Adaptive
from domain.specs.parameters import Bounds
from storage.delivery_log import DeliveryRecord
from storage.endpoints import Endpoint
from storage.records import JobRecord
from storage.traces import StoredEvent

_HOST = re.compile(r"^[A-Za-z0-9.\-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$")


def origin(request: Request) -> str:
    """Scheme and host as the caller wrote them; empty, so that URLs become relative, when they make no sense."""
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if _HOST.match(host) else ""


def job_view(
    job: JobRecord, base: str, queue_position: int | None = None, estimate: Estimate | None = None
) -> dict[str, Any]:
    verdict = job.verdict
    url = f"{base}{JOBS}/{job.id}"
    return {
        "id": job.id,
        "object": "reasoning.job",
        "status": job.status.value,
        "answer": verdict.answer if verdict else None,
        "confidence": verdict.confidence if verdict else None,
        "confidence_kind": verdict.confidence_kind.value if verdict else None,
        "stop_reason": job.stop_reason.value if job.stop_reason else None,
        "solution": verdict.solution if verdict else None,
        "why": verdict.why if verdict else None,
        "candidates": encode(verdict.candidates) if verdict else [],
        "error": encode(job.error),
        "usage": native_usage(job),
        "strategy": spec_to_json(job.strategy),
        "budget": encode(job.budget),
        "confidence_target": job.confidence_target,
        "seed": job.seed,
        "priority": job.priority,
        "metadata": dict(job.metadata),
        "labels": list(job.labels),
        "deadline": moment(job.deadline),
        "webhook_url": job.webhook_url,
        "webhook_events": None if job.webhook_events is None else list(job.webhook_events),
        "cancel_requested": job.cancel_requested,
        "queue_position": queue_position,
        "estimated_start_at": None if estimate is None else estimate.start_at,
        "estimated_finish_at": None if estimate is None else estimate.finish_at,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "ended_at": moment(job.ended_at),
        "status_url": url,
        "result_url": f"{url}/result",
        "trace_url": f"{url}/trace",
        "events_url": f"{url}/events",
        "cancel_url": f"{url}/cancel",
    }


def estimate_of(job: JobRecord, position: int | None, pace: Pace) -> Estimate:
    """Of a job that has not ended."""
    now = job.read_at.timestamp()
    deadline = moment(job.deadline)
    if job.status is JobStatus.QUEUED:
        return estimate_queued(now, position or 0, pace, deadline)
    started = (job.started_at or job.read_at).timestamp()
    return estimate_running(now, round(started, 3), job.budget.seconds, pace, deadline)


def event_view(stored: StoredEvent) -> dict[str, Any]:
    return {"seq": stored.seq, "at": moment(stored.at), **encode(stored.event)}


def delivery_view(delivery: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "object": "webhook.delivery",
        "job_id": delivery.job_id,
        "endpoint_id": delivery.endpoint_id,
        "event_type": delivery.event_type,
        "url": delivery.url,
        "status": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": moment(delivery.next_attempt_at),
        "last_status_code": delivery.last_status_code,
        "last_error": delivery.last_error,
        "created_at": moment(delivery.created_at),
        "delivered_at": moment(delivery.delivered_at),
    }


def endpoint_view(endpoint: Endpoint, *, with_secret: bool = False) -> dict[str, Any]:
    view = {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "created_at": int(endpoint.created_at.timestamp()),
        "updated_at": int(endpoint.updated_at.timestamp()),
        "signing_secret_hint": f"whsec_…{endpoint.secret[-4:]}",
        "enabled": endpoint.disabled_at is None,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": moment(endpoint.failing_since),
    }
    return view | {"signing_secret": endpoint.secret} if with_secret else view


def strategy_view(spec: type[StrategySpec]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "default": spec.name == DEFAULT_STRATEGY,
        "description": " ".join((spec.__doc__ or "").split()),
        "parameters": {item.name: _parameter(item) for item in fields(spec)},
        "efforts": _efforts() if spec is Adaptive else None,
    }


def is_final(job: JobRecord) -> bool:
    return job.status in FINAL


def moment(at: datetime | None) -> float | None:
    return None if at is None else round(at.timestamp(), 3)


def _efforts() -> dict[str, dict[str, Any]]:
    """The whole strategy of each level, as `strategy` takes it."""
    return {level: spec_to_json(adaptive_for(level)) for level in EFFORTS}


def _parameter(item: Field[Any]) -> dict[str, Any]:
    """A parameter as JSON Schema says it."""
    default = None if item.default is MISSING else item.default
    if "choices" in item.metadata:
        return {"type": "string", "default": default, "enum": list(item.metadata["choices"])}
    bounds: Bounds = item.metadata["bounds"]
    kind = "integer" if isinstance(default, int) else "number"
    shown = {"type": kind, "default": default, "minimum": bounds.low, "maximum": bounds.high}
    return shown | ({"words": list(item.metadata["words"])} if "words" in item.metadata else {})
