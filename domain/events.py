"""The trace: one discriminated union of events, read by the log, the stream, the console, replay and training alike.

Law: folding a job's events in order gives the state that its search had when they were written (`search.replay`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from domain.budget import Budget, Spend
from domain.calibration import Calibration
from domain.job import JobStatus
from domain.moves import Outcome
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.verdict import StopReason, Verdict


@dataclass(frozen=True, slots=True)
class JobSubmitted:
    """Event 0 of every job: all that the search depends on."""

    problem: Problem
    strategy: StrategySpec
    budget: Budget
    confidence: float | None
    """The confidence asked for; None means: let the strategy finish."""
    seed: int


@dataclass(frozen=True, slots=True)
class JobClaimed:
    """A worker took the lease. More than one of these means that the search was resumed; the first one's calibration
    holds for the whole search."""

    worker: str
    fence: int
    policy: str
    verifier: str | None
    calibration: Calibration | None = None
    """What was fitted for these models, as it was when the search began."""


@dataclass(frozen=True, slots=True)
class IssuedMove:
    """A move as the trace keeps it: texts are left out, since folding asks the strategy for them again."""

    id: str
    kind: str
    """`sample` or `score`."""
    node: int
    parent: int
    seed: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class MovesIssued:
    """The strategy was asked for at most `limit` moves and gave these."""

    limit: int
    moves: tuple[IssuedMove, ...]


@dataclass(frozen=True, slots=True)
class MoveSettled:
    """A move's outcome was told to the strategy and its cost was charged, once, under its call key."""

    call_key: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class JobReleased:
    """A draining worker gave the job back to the queue."""

    worker: str
    fence: int


@dataclass(frozen=True, slots=True)
class JobStopped:
    """The last event of every job."""

    status: JobStatus
    reason: StopReason
    verdict: Verdict
    spend: Spend
    message: str | None = None
    """For failures: one sentence for the user."""


Event: TypeAlias = JobSubmitted | JobClaimed | MovesIssued | MoveSettled | JobReleased | JobStopped
