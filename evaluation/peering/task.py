"""One search by one method over one problem, and what it came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.ids import derive_seed
from domain.ports import SampleRequest
from evaluation.peering.counting import Bill, CountingPolicy, CountingVerifier, Shared


@dataclass(frozen=True, slots=True)
class Limits:
    """The same for everybody."""

    temperature: float
    max_tokens: int
    """Of one call: a whole solution or a step."""
    max_steps: int = 40


@dataclass(frozen=True)
class Task:
    problem: str
    seed: int
    """The search's own; the i-th whole solution has the same seed in every method, and so is the same solution."""
    limits: Limits
    policy: CountingPolicy
    verifier: CountingVerifier
    bill: Bill
    models: Any = None
    """What ours needs beside the ports (`evaluation.peering.ours.Beside`)."""

    def request(
        self, number: int, *, prefix: str = "", stop: tuple[str, ...] = (), attempts: tuple[str, ...] = ()
    ) -> SampleRequest:
        """The `number`-th call (from 1) of this search."""
        seed, limits = derive_seed(self.seed, "sample", number), self.limits
        return SampleRequest(
            f"call-{number}", self.problem, prefix, seed, limits.max_tokens, stop, limits.temperature, 1.0, attempts
        )


def task_for(problem: str, seed: int, limits: Limits, shared: Shared, beside: Any = None) -> Task:
    bill = Bill()
    return Task(problem, seed, limits, CountingPolicy(shared, bill), CountingVerifier(shared, bill), bill, beside)


Answer: TypeAlias = str | None
"""The final answer as written; None: none was given."""

Method: TypeAlias = Callable[[Task, int], Awaitable[Answer]]
"""Searches with a budget of N solutions."""
