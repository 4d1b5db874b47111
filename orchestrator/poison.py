"""A job that kills every worker that claims it must end, or it takes one worker after the other for ever."""

from __future__ import annotations

from domain.errors import TraceMismatch
from domain.events import JobClaimed, JobReleased, MoveSettled
from domain.ports import Claim

MOST_FRUITLESS_CLAIMS = 10


def refuse_deadly(claim: Claim) -> None:
    """Raises TraceMismatch when this many claims ended without a result, a release or an end: their workers died."""
    if fruitless_claims(claim) > MOST_FRUITLESS_CLAIMS:
        raise TraceMismatch(f"its workers died {MOST_FRUITLESS_CLAIMS} times without a single result")


def fruitless_claims(claim: Claim) -> int:
    """Claims before this one of which the trace shows no fruit (a claim that died at once is not even in it)."""
    fruitful, counted = 0, False
    for event in claim.events:
        if isinstance(event, JobClaimed):
            counted = False
        elif isinstance(event, MoveSettled | JobReleased) and not counted:
            fruitful, counted = fruitful + 1, True
    return claim.fence - 1 - fruitful
