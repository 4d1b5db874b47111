"""From a request body to the job that is stored. Each member has one reader; each complaint names the member."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.idempotency import Trial
from api.times import parse_time
from domain.budget import parse_budget
from domain.effort import parse_search
from domain.errors import InvalidRequest
from domain.ids import ENTROPY_BYTES, JobId, TenantId, make_id
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from domain.ports import NewJob
from domain.problem import parse_problem
from domain.webhook_events import parse_job_events
from messaging.addresses import Networks, url_refusal

MEMBERS = (
    "problem", "strategy", "effort", "budget", "confidence", "webhook_url", "webhook_events", "metadata", "labels",
    "seed", "priority", "deadline", "deadline_seconds",
)  # fmt: skip
LARGEST_SEED = 2**63 - 1
MOST_METADATA = 16
LONGEST_METADATA_KEY = 64
LONGEST_METADATA_VALUE = 512
MOST_LABELS = 16
LONGEST_LABEL = 64
LATEST_DEADLINE_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a submission is besides its body."""

    tenant: TenantId
    allowed: Networks
    trial: Trial | None = None
    """Of the request that creates the job and nothing else."""


def parse_submission(body: Mapping[str, Any], envelope: Envelope) -> NewJob:
    """Raises InvalidRequest."""
    _refuse_unknown(body)
    if "problem" not in body:
        raise InvalidRequest("problem is missing: send the text of the problem", param="problem")
    return NewJob(
        id=JobId(make_id("job", time.time_ns() // 1_000_000, secrets.token_bytes(ENTROPY_BYTES))),
        tenant=envelope.tenant,
        problem=parse_problem(body["problem"]),
        strategy=parse_search(body.get("strategy"), body.get("effort")),
        budget=parse_budget(body.get("budget")),
        confidence=_confidence(body.get("confidence")),
        seed=_seed(body.get("seed")),
        priority=_priority(body.get("priority")),
        webhook_url=_webhook_url(body.get("webhook_url"), envelope.allowed),
        webhook_events=_webhook_events(body),
        labels=_labels(body.get("labels")),
        deadline_unix_s=_deadline(body),
        metadata=_metadata(body.get("metadata")),
        attempt=None if envelope.trial is None else envelope.trial.of(body),
    )


def _refuse_unknown(body: Mapping[str, Any]) -> None:
    for name in body:
        if name not in MEMBERS:
            raise InvalidRequest(f"unknown member {name[:64]!r}: use {', '.join(MEMBERS)}", param=name[:64])


def _confidence(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidRequest("confidence must be a number from 0 to 1", param="confidence")
    return float(value)


def _seed(value: object) -> int:
    if value is None:
        return secrets.randbits(63)
    return _whole("seed", value, 0, LARGEST_SEED)


def _priority(value: object) -> int:
    return 0 if value is None else _whole("priority", value, LOWEST_PRIORITY, HIGHEST_PRIORITY)


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(f"{name} must be a whole number from {low} to {high}", param=name)
    return value


def _webhook_url(value: object, allowed: Networks) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequest("webhook_url must be a string", param="webhook_url")
    refusal = url_refusal(value, allowed)
    if refusal is not None:
        raise InvalidRequest(f"webhook_url {refusal}", param="webhook_url")
    return value


def _webhook_events(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    events = parse_job_events(body.get("webhook_events"))
    if events is not None and body.get("webhook_url") is None:
        raise InvalidRequest("webhook_events says what webhook_url is to get: send both", param="webhook_events")
    return events


def _labels(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_LABELS:
        raise InvalidRequest(f"labels must be a list of at most {MOST_LABELS} strings", param="labels")
    for label in value:
        if not isinstance(label, str) or not 1 <= len(label) <= LONGEST_LABEL:
            raise InvalidRequest(f"a label must be a string of 1 to {LONGEST_LABEL} characters", param="labels")
    return tuple(dict.fromkeys(value))


def _deadline(body: Mapping[str, Any]) -> float | None:
    """Unix seconds, of a deadline given as a time or as seconds from now."""
    at, seconds = body.get("deadline"), body.get("deadline_seconds")
    if at is not None and seconds is not None:
        raise InvalidRequest("send deadline or deadline_seconds, not both", param="deadline_seconds")
    param, now = ("deadline_seconds", time.time()) if at is None else ("deadline", time.time())
    if at is None and seconds is None:
        return None
    moment = parse_time(at, "deadline") if seconds is None else now + _seconds(seconds)
    if not now < moment <= now + LATEST_DEADLINE_S:
        raise InvalidRequest(f"{param} must be in the future and within 30 days", param=param)
    return moment


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LATEST_DEADLINE_S:
        raise InvalidRequest("deadline_seconds must be a number above 0, at most 30 days", param="deadline_seconds")
    return float(value)


def _metadata(value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise InvalidRequest("metadata must be an object of strings", param="metadata")
    if len(value) > MOST_METADATA:
        raise InvalidRequest(f"metadata must have at most {MOST_METADATA} members", param="metadata")
    return tuple((_metadata_key(key), _metadata_value(key, item)) for key, item in value.items())


def _metadata_key(key: str) -> str:
    if not 1 <= len(key) <= LONGEST_METADATA_KEY:
        raise InvalidRequest(f"a metadata key must have 1 to {LONGEST_METADATA_KEY} characters", param="metadata")
    return key


def _metadata_value(key: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_METADATA_VALUE:
        raise InvalidRequest(
            f"a metadata value must be a string of at most {LONGEST_METADATA_VALUE} characters",
            param=f"metadata.{key}",
        )
    return value
