"""Times as callers write them: Unix seconds, or RFC 3339 with an offset (without one, nobody knows what is meant)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from domain.errors import InvalidRequest

LATEST_UNIX_S = 253_402_300_799
"""The end of the year 9999."""

_RFC_3339 = (
    r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"
)
TIME_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": LATEST_UNIX_S},
        {"type": "string", "pattern": _RFC_3339},
    ]
}
"""What is surely a time (beyond it, fractions of seconds and days 29 to 31 are taken)."""

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
_UNIX = re.compile(r"^\d{1,12}(\.\d{1,9})?$", re.ASCII)


def parse_day(value: object) -> date:
    """A day such as 2026-11-20. Raises ValueError."""
    if not isinstance(value, str) or not _DAY.match(value):
        raise ValueError("a day is written like 2026-11-20")
    return date.fromisoformat(value)


def parse_time(value: object, param: str) -> float:
    """Unix seconds. Raises InvalidRequest."""
    if isinstance(value, str) and _UNIX.match(value):
        value = float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if 0 <= value <= LATEST_UNIX_S else -1.0
    else:
        seconds = _of_text(value)
    if not 0 <= seconds <= LATEST_UNIX_S:
        raise InvalidRequest(
            f"{param} must be a time: Unix seconds, or a text such as 2026-11-20T12:00:00Z", param=param
        )
    return seconds


def _of_text(value: object) -> float:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
        return -1.0 if moment is None or moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        return -1.0
