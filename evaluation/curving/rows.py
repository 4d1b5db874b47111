"""What one search came to: the plain values that every curve is computed from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from domain.budget import Spend

VERIFIER = "verifier"
"""Guided by the trained verifier (or by nothing, where a method asks none)."""
CHECKER = "checker"
"""Guided by the exact checker instead: what the same search would do with a verifier that is never wrong."""

Unit: TypeAlias = tuple[str, str, int, int, str]
"""Method, arm, budget, seed, problem: what is run once."""


@dataclass(frozen=True, slots=True)
class Row:
    method: str
    arm: str
    budget: int
    """The method's n."""
    seed: int
    problem: str
    right: bool
    flops: float
    """Generation, verification and probe: all that the ledger charged."""
    prompt_tokens: int
    generated_tokens: int
    verified_tokens: int
    rollouts: int
    verifier_calls: int
    seconds: float
    """From start to end of the search, while others shared the engines; 0 where it was read off a pool."""
    reason: str
    share: float | None = None
    """Of the solutions in this row those that are right (votes only): the measured pass@1."""
    first_right: bool | None = None
    """Whether the first attempt of a chain of revisions is right …"""
    last_right: bool | None = None
    """… and whether the last one is."""
    cached_tokens: int = 0
    """Of the prompt and verified tokens, those that FLOPs leave out."""
    confidence: float | None = None
    """The verdict's, where the search was asked how sure it is."""

    @property
    def unit(self) -> Unit:
        return self.method, self.arm, self.budget, self.seed, self.problem

    @property
    def tokens(self) -> int:
        return self.generated_tokens + self.verified_tokens

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def row(unit: Unit, spend: Spend, *, right: bool, seconds: float, reason: str, **more: Any) -> Row:
    """A row with all that this search was charged."""
    method, arm, budget, seed, problem = unit
    return Row(
        method, arm, budget, seed, problem, right,
        spend.flops, spend.prompt_tokens, spend.generated_tokens, spend.verified_tokens,
        spend.rollouts, spend.verifier_calls, seconds, reason, cached_tokens=spend.cached_tokens, **more,
    )  # fmt: skip
