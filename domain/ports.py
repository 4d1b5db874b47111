"""Where the orchestrator meets the world: Protocols that `storage`, `inference`, `messaging` and `workers` fill in.

Only plain frozen values cross these lines. Errors: engines raise `EngineError`, stores raise `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.attempt import Attempt
from domain.budget import Budget, Spend
from domain.events import Event
from domain.ids import JobId, TenantId
from domain.job import JobError, JobStatus
from domain.moves import Answer, FinishReason
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.verdict import StopReason, Verdict
from domain.webhook_events import Announces

# ------------------------------------------------------------------------------------------------ engines


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the ledger and the trace need to know of a model."""

    id: str
    """Name or path as configured, and a revision or checksum: it is part of every call key."""
    parameters: int
    """Number of weights; FLOPs are 2 × this × tokens processed."""
    context_tokens: int
    """Longest prompt plus completion."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    key: str
    """The call key; `abort` takes it."""
    problem: str
    prefix: str
    """The solution so far; the engine puts it after its prompt and continues it."""
    seed: int
    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 1.0
    top_p: float = 1.0
    attempts: tuple[str, ...] = ()
    """Earlier solutions that the engine shows the policy for a revision, oldest first."""


@dataclass(frozen=True, slots=True)
class Completion:
    key: str
    text: str
    finish: FinishReason
    answer: Answer | None
    logprob: float | None
    cost: Spend
    """In full, whatever the engine still knew: what one job pays once is the orchestrator's to say."""
    ends: tuple[int, ...] = ()
    """Tokens up to the end of the problem's prompt and of each step of the prefix that a separator ends: where reading
    can go on when they are known. Empty: this engine keeps nothing, and reads all of each prompt."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    key: str
    problem: str
    solution: str
    seed: int = 0
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class StepScores:
    key: str
    scores: tuple[float, ...]
    """One probability a step (the steps of `domain.moves.split_steps`), in order."""
    cost: Spend
    """In full."""
    ends: tuple[int, ...] = ()
    """Tokens up to the end of the problem and of each step, as in `Completion`."""


class Policy(Protocol):
    """Samples text. Many calls at once; calls of all jobs share the engines' batches."""

    @property
    def info(self) -> ModelInfo: ...

    async def sample(self, request: SampleRequest) -> Completion:
        """Raises EngineError. Cancelling the awaiting task, or `abort`, frees the engine's slot."""
        ...

    def abort(self, keys: Iterable[str]) -> None:
        """Stop these calls in the engine; their awaiters get EngineError with the cost so far. Others are ignored."""
        ...


class Verifier(Protocol):
    """Scores the steps of solutions."""

    @property
    def info(self) -> ModelInfo: ...

    async def score(self, request: ScoreRequest) -> StepScores:
        """Raises EngineError; never gives a made-up score."""
        ...

    def abort(self, keys: Iterable[str]) -> None: ...


class AnswerEquivalence(Protocol):
    """Symbolic comparison of answers whose normal forms differ, in a process that can be killed."""

    async def equivalent(self, key: str, others: Sequence[str]) -> tuple[str, ...]:
        """Those of `others` (normal-form keys) that are equal to `key`. A timeout counts as not equal."""
        ...


# ------------------------------------------------------------------------------------------------ storage


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is stored in the submitting transaction (with event 0 and the outbox row)."""

    id: JobId
    tenant: TenantId
    problem: Problem
    strategy: StrategySpec
    budget: Budget
    confidence: float | None
    seed: int
    priority: int
    webhook_url: str | None
    metadata: tuple[tuple[str, str], ...]
    attempt: Attempt | None = None
    """Of the request that creates this job and nothing else; None: somebody else sees to it that it is made once."""
    webhook_events: tuple[str, ...] | None = None
    """The events that `webhook_url` is to get; None: all."""
    labels: tuple[str, ...] = ()
    deadline_unix_s: float | None = None
    """The job ends at this time, `incomplete`, with the best answer found by then."""
    announces: Announces = Announces.JOB


NOBODY = TenantId("")
"""The tenant of a search that belongs to no service."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker now holds, with everything that happened to it so far."""

    job: JobId
    fence: int
    events: tuple[Event, ...]
    """From event 0 on; the index is the event's sequence number."""
    started_s: float
    """Seconds since the job's first claim, by the database's clock (0 for a first claim)."""
    tenant: TenantId = NOBODY
    weight: float = 1.0
    """Of the tenant, when the job was claimed."""
    priority: int = 0
    deadline_s: float | None = None
    """Seconds until its deadline, by the database's clock (negative when it is over); None: it has none."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A settled call, stored once under its key however often it ran."""

    key: str
    kind: str
    model: str
    cost: Spend


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a job, written with its last events, its webhook delivery and its outbox row in one transaction."""

    status: JobStatus
    reason: StopReason
    verdict: Verdict
    error: JobError | None


@dataclass(frozen=True, slots=True)
class JobWrite:
    """One job's part of a group commit. Writing the same one twice has the effect of once."""

    job: JobId
    fence: int
    first_seq: int
    """Sequence number of `events[0]`."""
    events: tuple[Event, ...]
    calls: tuple[CallRecord, ...]
    spend: Spend
    """Running total after these events."""
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a heartbeat."""

    held: frozenset[JobId]
    """Jobs whose lease was renewed; the others are lost: abandon them."""
    cancelled: frozenset[JobId]
    """Held jobs that their user asked to cancel."""


class JobStore(Protocol):
    """The orchestrator's view of Postgres. Leases run on the database's clock; every write checks the fence."""

    async def claim(self, worker: str, limit: int, lease_s: float, reserved: int = 0) -> tuple[Claim, ...]:
        """Take up to `limit` queued or lease-expired jobs: tenants by `domain.fairness.share_out`, of each the highest
        priority and oldest first."""
        ...

    async def renew(self, worker: str, claims: Sequence[tuple[JobId, int]], lease_s: float) -> Renewal: ...

    async def commit(self, writes: Sequence[JobWrite]) -> frozenset[JobId]:
        """Store all writes whose fence still holds, in one transaction; gives the jobs whose lease was lost."""
        ...

    async def release(self, worker: str, claims: Sequence[tuple[JobId, int]]) -> None:
        """Back to the queue, at once claimable, and ring for another worker."""
        ...


class Progress(Protocol):
    """Live progress, best effort: losing it costs a watcher some seconds, never a job."""

    async def publish(self, jobs: Sequence[JobId], ended: Collection[JobId] = ()) -> None:
        """Say that these jobs have new events, and which of them have ended."""
        ...
