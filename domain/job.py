"""The states of a job and the ways between them.

    queued ──▶ in_progress ──▶ completed | incomplete | failed | cancelled
       │  ▲        │
       │  └────────┘ (released by a draining worker, or its lease ran out)
       └──────────▶ cancelled | incomplete (its deadline came first)

Each transition is a named function here; `storage` repeats the same law as CHECK constraints.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    """Stored and waiting. It holds no lease; any orchestrator may claim it, highest priority and oldest first."""
    IN_PROGRESS = "in_progress"
    """Claimed: exactly one worker holds its lease, under a fence number that grows with every claim. When the lease
    runs out, the next claim takes the job over and folds its events, so that nothing done so far is lost."""
    COMPLETED = "completed"
    """Final. The strategy finished or the confidence asked for was reached; there is an answer."""
    INCOMPLETE = "incomplete"
    """Final. The budget ended first, or the confidence asked for was not reached; the best answer so far is given."""
    FAILED = "failed"
    """Final. There is nothing to answer from; `error` says why."""
    CANCELLED = "cancelled"
    """Final. The user cancelled it; what was found until then is kept."""


LOWEST_PRIORITY = -100
HIGHEST_PRIORITY = 100
"""Jobs of a higher priority are claimed first; 0 is the default."""

FINAL = frozenset({JobStatus.COMPLETED, JobStatus.INCOMPLETE, JobStatus.FAILED, JobStatus.CANCELLED})


class IllegalTransition(Exception):
    """A transition that the picture above does not have: a defect of the caller."""


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, as shown to its user."""

    code: str
    message: str


def claim(status: JobStatus) -> JobStatus:
    """A worker takes the lease: of a queued job, or of one whose lease ran out."""
    return _move(status, {JobStatus.QUEUED, JobStatus.IN_PROGRESS}, JobStatus.IN_PROGRESS)


def release(status: JobStatus) -> JobStatus:
    """A draining worker gives the lease back; the events stay."""
    return _move(status, {JobStatus.IN_PROGRESS}, JobStatus.QUEUED)


def finish(status: JobStatus, final: JobStatus) -> JobStatus:
    """The worker that holds the lease ends the job."""
    if final not in FINAL:
        raise IllegalTransition(f"{final} is not a final state")
    return _move(status, {JobStatus.IN_PROGRESS}, final)


def cancel_queued(status: JobStatus) -> JobStatus:
    """A job that nobody has begun ends at once; any other is asked to stop, so that what was found is kept."""
    return _move(status, {JobStatus.QUEUED}, JobStatus.CANCELLED)


def expire_queued(status: JobStatus) -> JobStatus:
    """The deadline of a job that nobody has begun has come."""
    return _move(status, {JobStatus.QUEUED}, JobStatus.INCOMPLETE)


def _move(status: JobStatus, allowed: set[JobStatus], target: JobStatus) -> JobStatus:
    if status not in allowed:
        raise IllegalTransition(f"{status} → {target}")
    return target
