"""When a job may start and end, read off what ended lately. What nothing speaks for is None, not a guess."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The latest jobs of a tenant that ran and ended."""

    ended: int
    window_s: float
    """The time in which they ended, until now."""
    run_s: float
    """Median of their time from the first claim to the end."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Unix seconds; None: nothing speaks for any time."""

    start_at: float | None
    finish_at: float | None


FEWEST = 3
"""With fewer ended jobs there is no estimate."""


def estimate_queued(now: float, position: int, pace: Pace, deadline: float | None) -> Estimate:
    """Of a job before which `position` others are claimed."""
    if pace.ended < FEWEST or pace.window_s <= 0:
        return Estimate(None, None)
    start = now + position * pace.window_s / pace.ended
    return Estimate(_by(start, deadline), _by(start + pace.run_s, deadline))


def estimate_running(
    now: float, started_at: float, seconds: float | None, pace: Pace, deadline: float | None
) -> Estimate:
    """Of a job that runs since `started_at` and may run for `seconds`. One that takes longer than others has no end
    that they speak for."""
    ceiling = min(
        (at for at in (deadline, None if seconds is None else started_at + seconds) if at is not None), default=None
    )
    usual = started_at + pace.run_s
    finish = _by(usual, ceiling) if pace.ended >= FEWEST and usual > now else ceiling
    return Estimate(started_at, finish)


def _by(at: float, ceiling: float | None) -> float:
    return round(at if ceiling is None else min(at, ceiling), 3)
