"""Engines and a store for tests of the orchestrator: real asyncio behaviour, no processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from domain.budget import Spend
from domain.errors import EngineError
from domain.events import Event
from domain.ids import JobId
from domain.moves import Answer, FinishReason
from domain.ports import Claim, Completion, JobWrite, ModelInfo, Renewal, SampleRequest, ScoreRequest, StepScores

PARAMETERS = 1000


def call_key(request: SampleRequest | ScoreRequest) -> str:
    """The key of the call, without the number of its attempt."""
    return request.key.split("#")[0]


@dataclass
class FakePolicy:
    """Answers `answers[i % len]` for the i-th rollout of a job after `delay_s`; counts what it is asked."""

    answers: Sequence[str] = ("12",)
    delay_s: float = 0.0
    tokens: int = 10
    fail: Callable[[SampleRequest, int], EngineError | None] = lambda request, attempt: None
    calls: list[SampleRequest] = field(default_factory=list)
    aborted: set[str] = field(default_factory=set)
    running: int = 0
    most_running: int = 0
    info: ModelInfo = ModelInfo("fake-policy", PARAMETERS, 4096)

    async def sample(self, request: SampleRequest) -> Completion:
        attempt = sum(call_key(call) == call_key(request) for call in self.calls)
        self.calls.append(request)
        error = self.fail(request, attempt)
        if error is not None:
            raise error
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._completion(request)
        finally:
            self.running -= 1

    async def _completion(self, request: SampleRequest) -> Completion:
        waited = 0.0
        while waited < self.delay_s and request.key not in self.aborted:
            await asyncio.sleep(0.002)
            waited += 0.002
        if request.key in self.aborted:
            cost = Spend(5, 1, 0, 2.0 * PARAMETERS * 6, 1)
            raise EngineError("the call was aborted", retryable=False, cost=cost)
        value = self.answers[request.seed % len(self.answers)]
        generated = min(self.tokens, request.max_tokens)
        cost = Spend(5, generated, 0, 2.0 * PARAMETERS * (5 + generated), 1)
        if generated < self.tokens:
            return Completion(request.key, "cut", FinishReason.LENGTH, None, -1.0, cost)
        answer, text = Answer(value, f"q:{value}"), f"Step {request.seed}.\n\n\\boxed{{{value}}}"
        return Completion(request.key, text, FinishReason.END, answer, -1.0, cost)

    def abort(self, keys: Iterable[str]) -> None:
        # As a real engine, which ignores keys that it has not seen.
        self.aborted |= set(keys) & {call.key for call in self.calls}


@dataclass
class FakeVerifier:
    """Likes one answer."""

    likes: str = "12"
    calls: list[ScoreRequest] = field(default_factory=list)
    error: EngineError | None = None
    info: ModelInfo = ModelInfo("fake-verifier", PARAMETERS, 4096)

    async def score(self, request: ScoreRequest) -> StepScores:
        self.calls.append(request)
        if self.error is not None:
            raise self.error
        last = 0.9 if f"{{{self.likes}}}" in request.solution else 0.2
        return StepScores(request.key, (0.5, last), Spend(0, 0, 20, 2.0 * PARAMETERS * 20, 0, 1))

    def abort(self, keys: Iterable[str]) -> None: ...


@dataclass
class FakeStore:
    """Postgres's part of the contract with the orchestrator: leases, fences, events with unique sequence numbers."""

    jobs: dict[JobId, list[Event]] = field(default_factory=dict)
    fences: dict[JobId, int] = field(default_factory=dict)
    queued: list[JobId] = field(default_factory=list)
    cancelled: set[JobId] = field(default_factory=set)
    ended: dict[JobId, JobWrite] = field(default_factory=dict)
    calls: dict[str, JobId] = field(default_factory=dict)
    commits: int = 0
    before_commit: Callable[[], None] = lambda: None

    def submit(self, job: str, event: Event) -> None:
        self.jobs[JobId(job)] = [event]
        self.fences[JobId(job)] = 0
        self.queued.append(JobId(job))

    async def claim(self, worker: str, limit: int, lease_s: float, reserved: int = 0) -> tuple[Claim, ...]:
        taken, self.queued = self.queued[:limit], self.queued[limit:]
        for job in taken:
            self.fences[job] += 1
        return tuple(Claim(job, self.fences[job], tuple(self.jobs[job]), 0.0) for job in taken)

    async def renew(self, worker: str, claims: Sequence[tuple[JobId, int]], lease_s: float) -> Renewal:
        held = frozenset(job for job, fence in claims if self.fences[job] == fence and job not in self.ended)
        return Renewal(held, held & frozenset(self.cancelled))

    async def commit(self, writes: Sequence[JobWrite]) -> frozenset[JobId]:
        await asyncio.sleep(0)
        self.before_commit()
        self.commits += 1
        return frozenset(write.job for write in writes if not self._write(write))

    def _write(self, write: JobWrite) -> bool:
        if self.fences[write.job] != write.fence:
            return False
        events = self.jobs[write.job]
        assert len(events) == write.first_seq, "events must follow each other without a gap"
        events.extend(write.events)
        for call in write.calls:
            assert call.key not in self.calls, "a call counts once"
            self.calls[call.key] = write.job
        if write.finish is not None:
            self.ended[write.job] = write
        return True

    async def release(self, worker: str, claims: Sequence[tuple[JobId, int]]) -> None:
        self.queued += [job for job, fence in claims if self.fences[job] == fence]


class Quiet:
    """A Progress that only counts."""

    def __init__(self) -> None:
        self.published: list[JobId] = []

    async def publish(self, jobs: Sequence[JobId], ended: Collection[JobId] = ()) -> None:
        self.published += jobs
