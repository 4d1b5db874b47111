"""A rate limit as one number: the generic cell rate algorithm (ITU-T I.371), a token bucket without a token.

`due_s` is the moment at which a caller that had kept to the rate exactly would make its next request. Who is ahead of
it by less than the burst may go on. Pure: the same rule runs in Redis and, without Redis, in each process.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What one request was told."""

    allowed: bool
    left: int
    """Requests that could follow at once."""
    renewed_in_s: float
    """Seconds until the whole limit is there again."""
    retry_in_s: float
    """Seconds until a request is allowed; 0 when this one was."""


def pace(due_s: float, now_s: float, limit: int) -> tuple[float, Standing]:
    """The new `due_s` and the standing, for `limit` requests in `WINDOW_S`, which may come all at once."""
    interval_s = WINDOW_S / limit
    after_s = max(due_s, now_s) + interval_s
    early_s = after_s - now_s - WINDOW_S
    if early_s > 1e-9:
        return due_s, Standing(False, 0, max(0.0, due_s - now_s), early_s)
    return after_s, Standing(True, int((WINDOW_S - (after_s - now_s)) / interval_s + 1e-6), after_s - now_s, 0.0)
