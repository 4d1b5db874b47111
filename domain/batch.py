"""The states of a batch and the ways between them, and what may be asked of one. The words are those of OpenAI's API.

    validating ──▶ in_progress ──▶ finalizing ──▶ completed | expired
        │  │            │
        │  └────────────┴──▶ cancelling ──▶ cancelled
        └──▶ failed (nothing in the file can be run, or one line is wrong and the batch was to fail then)

Law: every line of the file is answered exactly once, in the output file or in the error file, however the batch ends;
only a batch that failed runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.budget import Budget, parse_budget
from domain.effort import parse_search
from domain.errors import InvalidRequest
from domain.ids import is_id
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY

RESPONSES = "/v1/responses"
CHAT = "/v1/chat/completions"
NATIVE = "/v1/reasoning/jobs"
ENDPOINTS = (RESPONSES, CHAT, NATIVE)

MAX_LINES = 100_000
MAX_LINE_BYTES = 1024 * 1024
MAX_CUSTOM_ID_CHARS = 512
BATCH_PRIORITY = -10
"""Lines wait behind single jobs."""
DEFAULT_WINDOW = "24h"
MAX_WINDOW_S = 30 * 24 * 3600
MIN_WINDOW_S = 60
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_METADATA = 16
LONGEST_METADATA_KEY = 64
LONGEST_METADATA_VALUE = 512
MIN_EXPIRY_S, MAX_EXPIRY_S = 3600, 2_592_000

_WINDOW = re.compile(r"^([1-9]\d{0,6})([smhd])$")
_DEFAULTS = ("strategy", "effort", "confidence", "job_budget")
_MEMBERS = (
    "input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after", "budget", "on_invalid_line",
    "priority", *_DEFAULTS,
)  # fmt: skip


class BatchStatus(StrEnum):
    """Where a batch is in its life."""

    VALIDATING = "validating"
    """Its lines are read, checked and stored; nothing runs yet."""
    FAILED = "failed"
    """Final. Nothing ran: `errors` says why, by line number."""
    IN_PROGRESS = "in_progress"
    """Lines run, a bounded number at a time, and each result goes to the output or the error file as it comes."""
    FINALIZING = "finalizing"
    """No line runs or waits any more; the last results are being written."""
    COMPLETED = "completed"
    """Final. Every line ran, or was refused with an error of its own."""
    EXPIRED = "expired"
    """Final. The completion window ended first; what was finished by then is kept."""
    CANCELLING = "cancelling"
    """Its user cancelled it; what runs is being stopped."""
    CANCELLED = "cancelled"
    """Final. What was finished before is kept."""


FINAL_BATCH = frozenset({BatchStatus.FAILED, BatchStatus.COMPLETED, BatchStatus.EXPIRED, BatchStatus.CANCELLED})


class OnInvalidLine(StrEnum):
    SKIP = "skip"
    """A bad line is answered with its error and the others run (a file of bad lines alone fails)."""
    FAIL = "fail"
    """One bad line fails the batch before anything runs, as OpenAI does."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A checked request for a batch."""

    input_file: str
    endpoint: str
    completion_window: str
    """As it was written, e.g. `24h`."""
    window_s: int
    metadata: dict[str, str]
    budget: Budget
    """Of all lines together."""
    defaults: dict[str, Any]
    """`strategy`, `effort`, `confidence` and `budget` of lines that don't say their own; checked, as JSON."""
    on_invalid_line: OnInvalidLine
    priority: int
    output_expires_s: int | None


def parse_batch(body: Mapping[str, Any], endpoint: str | None = None) -> BatchRequest:
    """From JSON; `endpoint` stands in where the body names none. Raises InvalidRequest naming the member."""
    for name in body:
        if name not in _MEMBERS:
            raise InvalidRequest(f"unknown member {name[:64]!r}: use {', '.join(_MEMBERS)}", param=name[:64])
    window = body.get("completion_window", DEFAULT_WINDOW)
    return BatchRequest(
        input_file=_input_file(body.get("input_file_id")),
        endpoint=_endpoint(body.get("endpoint", endpoint)),
        completion_window=window,
        window_s=window_seconds(window),
        metadata=_metadata(body.get("metadata")),
        budget=_batch_budget(body.get("budget")),
        defaults=_line_defaults(body),
        on_invalid_line=_on_invalid_line(body.get("on_invalid_line", OnInvalidLine.SKIP.value)),
        priority=_priority(body.get("priority")),
        output_expires_s=expiry_seconds(body.get("output_expires_after"), "output_expires_after"),
    )


def window_seconds(value: object) -> int:
    """`24h`, `30m`, `7d`: from one minute to 30 days. Raises InvalidRequest."""
    match = _WINDOW.match(value) if isinstance(value, str) else None
    seconds = int(match[1]) * UNITS_S[match[2]] if match else 0
    if not MIN_WINDOW_S <= seconds <= MAX_WINDOW_S:
        raise InvalidRequest(
            "completion_window must be a time from 1m to 30d, such as '24h'", param="completion_window"
        )
    return seconds


def expiry_seconds(value: object, param: str) -> int | None:
    """OpenAI's `{"anchor": "created_at", "seconds": …}` (one hour to 30 days), or None. Raises InvalidRequest."""
    if value is None:
        return None
    seconds = value.get("seconds") if isinstance(value, Mapping) and value.get("anchor") == "created_at" else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not MIN_EXPIRY_S <= seconds <= MAX_EXPIRY_S:
        raise InvalidRequest(
            f"{param} must be an object with the anchor 'created_at' and {MIN_EXPIRY_S} to {MAX_EXPIRY_S} seconds",
            param=param,
        )
    return seconds


def _input_file(value: object) -> str:
    if not isinstance(value, str) or not is_id("file", value):
        raise InvalidRequest("input_file_id must be the id of a file with purpose 'batch'", param="input_file_id")
    return value


def _endpoint(value: object) -> str:
    if value not in ENDPOINTS:
        raise InvalidRequest(f"endpoint must be one of {', '.join(ENDPOINTS)}", param="endpoint")
    return str(value)


def _batch_budget(value: object) -> Budget:
    budget = parse_budget(value)
    if budget.seconds is not None:
        raise InvalidRequest(
            "a batch has no budget in seconds: use completion_window, or job_budget for each line",
            param="budget.seconds",
        )
    return budget


def _line_defaults(body: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {name: body[name] for name in _DEFAULTS if body.get(name) is not None}
    parse_search(chosen.get("strategy"), chosen.get("effort"))
    confidence_of(chosen.get("confidence"))
    parse_budget(chosen.get("job_budget"))
    if "job_budget" in chosen:
        chosen["budget"] = chosen.pop("job_budget")
    return chosen


def confidence_of(value: object) -> float | None:
    """Raises InvalidRequest."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidRequest("confidence must be a number from 0 to 1", param="confidence")
    return float(value)


def _on_invalid_line(value: object) -> OnInvalidLine:
    if value not in tuple(OnInvalidLine):
        raise InvalidRequest("on_invalid_line must be 'skip' or 'fail'", param="on_invalid_line")
    return OnInvalidLine(str(value))


def _priority(value: object) -> int:
    if value is None:
        return BATCH_PRIORITY
    if isinstance(value, bool) or not isinstance(value, int) or not LOWEST_PRIORITY <= value <= HIGHEST_PRIORITY:
        raise InvalidRequest(
            f"priority must be a whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}", param="priority"
        )
    return value


def _metadata(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MOST_METADATA:
        raise InvalidRequest(f"metadata must be an object of at most {MOST_METADATA} strings", param="metadata")
    for name, text in value.items():
        if not 1 <= len(name) <= LONGEST_METADATA_KEY:
            raise InvalidRequest(f"a metadata key must have 1 to {LONGEST_METADATA_KEY} characters", param="metadata")
        if not isinstance(text, str) or len(text) > LONGEST_METADATA_VALUE:
            raise InvalidRequest(
                f"a metadata value must be a string of at most {LONGEST_METADATA_VALUE} characters",
                param=f"metadata.{name}",
            )
    return dict(value)
