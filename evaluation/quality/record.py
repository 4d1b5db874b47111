"""What was sampled, checked and scored: the plain values that all numbers are computed from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemItem:
    """One line of a problem file."""

    id: str
    problem: str
    answer: str
    subject: str
    level: int


@dataclass(frozen=True, slots=True)
class Solution:
    """One sampled solution; the scores are of finished ones only."""

    text: str
    finished: bool
    """Ended by the policy itself, with an answer."""
    key: str | None
    """Stands for its answer's class; None for an unfinished one."""
    right: bool
    tokens: int
    logprob: float
    """The policy's own, in nats, of the whole text."""
    first_error: int | None = None
    """Index of the first step that the exact checker refuses; None when it accepts all."""
    prm: tuple[float, ...] = ()
    """The verifier's probability at each step."""
    orm: float | None = None
    """The outcome model's probability at the end; None where there is no such model."""
    base: float | None = None
    """Log-probability, in nats, that the verifier's own language model gives to the text; None where it tells none."""

    @property
    def sound(self) -> bool:
        """Whether the exact checker accepts every step and the answer."""
        return self.finished and self.right and self.first_error is None


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    item: ProblemItem
    solutions: tuple[Solution, ...]
    """In the order of their seeds."""
    chains: tuple[tuple[bool, ...], ...] = ()
    """For each chain of revisions whether attempt 0, 1, 2, … is right."""
    shortened: int = 0
    """Revisions that saw fewer attempts than there were, since the context was too short for all of them."""

    @property
    def pass1(self) -> float:
        return sum(one.right for one in self.solutions) / len(self.solutions)
