"""When a webhook is tried again. The policy decides and returns a value; it sends, stores and waits for nothing.

The schedule is the one of the Standard Webhooks specification (with 5 s first); the jitter comes from the delivery's
own seed, so that deliveries which failed together don't come back together and a decision can be repeated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from domain.ids import derive_seed

MINUTE, HOUR = 60.0, 3600.0
SCHEDULE_S = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Delay after the first, second, … failed attempt; after the last one there is no more."""
JITTER = 0.1
"""The delay is stretched or shortened by at most this share."""
LONGEST_RETRY_AFTER_S = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Delivered:
    """A 2xx: the receiver has it."""


@dataclass(frozen=True, slots=True)
class Again:
    delay_s: float


@dataclass(frozen=True, slots=True)
class Dead:
    """No further attempt by itself; the delivery stays visible and can be replayed."""

    reason: str


Decision: TypeAlias = Delivered | Again | Dead


def decide(attempt: int, status_code: int | None, retry_after_s: float | None, seed: str) -> Decision:
    """What follows attempt number `attempt` (1-based). `status_code` None: there was no answer."""
    if status_code is not None and 200 <= status_code < 300:
        return Delivered()
    if status_code == 410:
        return Dead("the receiver answered 410 Gone")
    if attempt > len(SCHEDULE_S):
        return Dead(f"{attempt} attempts failed")
    return Again(max(_jittered(SCHEDULE_S[attempt - 1], seed, attempt), _honoured(retry_after_s)))


def _jittered(delay_s: float, seed: str, attempt: int) -> float:
    unit = derive_seed(0, seed, attempt) / 2**63
    return delay_s * (1 + JITTER * (2 * unit - 1))


def _honoured(retry_after_s: float | None) -> float:
    return 0.0 if retry_after_s is None else min(max(retry_after_s, 0.0), LONGEST_RETRY_AFTER_S)
