"""One search by one method over one problem, and what it came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from domain.calibration import Calibration
from domain.ids import derive_seed
from domain.ports import AnswerEquivalence, SampleRequest
from evaluation.peering.counting import Bill, CountingPolicy, CountingVerifier, Shared
from evaluation.peering.lockstep import Batch, SteppedPolicy, SteppedVerifier


@dataclass(frozen=True, slots=True)
class Limits:
    """The same for everybody."""

    temperature: float
    max_tokens: int
    """Of one call: a whole solution or a step."""
    max_steps: int = 40


@dataclass(frozen=True)
class Beside:
    """What the service has beside the two models; peers have no use for it."""

    equivalence: AnswerEquivalence | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Task:
    problem: str
    seed: int
    """The search's own; the i-th whole solution has the same seed in every method, and so is the same solution."""
    limits: Limits
    policy: SteppedPolicy
    verifier: SteppedVerifier
    bill: Bill
    batch: Batch
    beside: Beside = field(default_factory=Beside)

    def request(
        self, number: int, *, prefix: str = "", stop: tuple[str, ...] = (), attempts: tuple[str, ...] = ()
    ) -> SampleRequest:
        """The `number`-th call (from 1) of this search."""
        seed, limits = derive_seed(self.seed, "sample", number), self.limits
        return SampleRequest(
            f"call-{number}", self.problem, prefix, seed, limits.max_tokens, stop, limits.temperature, 1.0, attempts
        )


def task_for(problem: str, seed: int, limits: Limits, shared: Shared, beside: Beside | None = None) -> Task:
    bill, batch = Bill(), Batch()
    policy = SteppedPolicy(CountingPolicy(shared, bill), batch)
    verifier = SteppedVerifier(CountingVerifier(shared, bill), batch)
    return Task(problem, seed, limits, policy, verifier, bill, batch, beside or Beside())


Answer: TypeAlias = str | None
"""The final answer as written; None: none was given."""

Method: TypeAlias = Callable[[Task, int], Awaitable[Answer]]
"""Searches with a budget of N solutions."""
