"""When a request is made again. The policy decides and returns seconds; it sends and waits for nothing.

A POST is safe to repeat, since every one carries an Idempotency-Key that stays the same over its attempts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    most: int = 3
    """Attempts after the first one."""
    first_s: float = 0.5
    longest_s: float = 8.0
    patience_s: float = 60.0
    """A server that asks for a longer pause than this gets none: the error is raised at once."""

    def after(self, attempt: int, status: int | None, headers: Mapping[str, str]) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 1); None: give up. `status` None: no answer."""
        if attempt > self.most or not _worth_it(status, headers):
            return None
        asked = _asked_s(headers)
        if asked is None:
            delay = min(self.longest_s, self.first_s * 2 ** (attempt - 1))
            return float(delay * random.uniform(0.75, 1.0))
        return asked if asked <= self.patience_s else None


def _worth_it(status: int | None, headers: Mapping[str, str]) -> bool:
    told = headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    return status is None or status in RETRIED


def _asked_s(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        if text.replace(".", "", 1).isdigit():
            return float(text) * unit
    return None
