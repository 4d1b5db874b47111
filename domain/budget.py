"""What a search may spend and what it has spent. One honest budget: the verifier and every probe are charged too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from domain.errors import InvalidRequest

MAX_TOKENS = 10**9
MAX_FLOPS = 1e24
MAX_ROLLOUTS = 1_000_000
MAX_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Ceilings; None means that this unit is not limited."""

    tokens: int | None = None
    """Generated plus verified tokens."""
    flops: float | None = None
    """2 × parameters × tokens processed (prompt, generation and verification), each shared beginning once."""
    rollouts: int | None = None
    """Policy calls that sampled text."""
    seconds: float | None = None
    """Wall-clock since the job was first claimed."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Amounts used, of one call or of a whole search; they add up."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    verified_tokens: int = 0
    flops: float = 0.0
    rollouts: int = 0
    verifier_calls: int = 0
    cached_prompt_tokens: int = 0
    """Of the prompt tokens, those that the same job had read or written before; FLOPs leave them out."""
    cached_verified_tokens: int = 0
    """Of the verified tokens, those that the same job had had verified before; FLOPs leave them out."""

    @property
    def tokens(self) -> int:
        """The tokens that a token budget counts."""
        return self.generated_tokens + self.verified_tokens

    @property
    def cached_tokens(self) -> int:
        return self.cached_prompt_tokens + self.cached_verified_tokens

    @property
    def processed_tokens(self) -> int:
        """The tokens that FLOPs count."""
        return self.prompt_tokens + self.generated_tokens + self.verified_tokens - self.cached_tokens

    def with_cached(self, prompt: int = 0, verified: int = 0) -> Spend:
        """The cost of one call on one model when so many of its tokens are known and are not processed again."""
        before = self.processed_tokens
        if before == 0 or prompt + verified == 0:
            return self
        return replace(
            self,
            # The quotient is the model's FLOPs a token, exactly.
            flops=self.flops / before * (before - prompt - verified),
            cached_prompt_tokens=self.cached_prompt_tokens + prompt,
            cached_verified_tokens=self.cached_verified_tokens + verified,
        )

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.prompt_tokens + other.prompt_tokens,
            self.generated_tokens + other.generated_tokens,
            self.verified_tokens + other.verified_tokens,
            self.flops + other.flops,
            self.rollouts + other.rollouts,
            self.verifier_calls + other.verifier_calls,
            self.cached_prompt_tokens + other.cached_prompt_tokens,
            self.cached_verified_tokens + other.cached_verified_tokens,
        )

    def __sub__(self, other: Spend) -> Spend:
        return Spend(
            self.prompt_tokens - other.prompt_tokens,
            self.generated_tokens - other.generated_tokens,
            self.verified_tokens - other.verified_tokens,
            self.flops - other.flops,
            self.rollouts - other.rollouts,
            self.verifier_calls - other.verifier_calls,
            self.cached_prompt_tokens - other.cached_prompt_tokens,
            self.cached_verified_tokens - other.cached_verified_tokens,
        )


NO_COST = Spend()


def is_finite(number: float) -> bool:
    """Also of a whole number that is too large for a float."""
    return isinstance(number, int) or math.isfinite(number)


def parse_budget(value: object) -> Budget:
    """A budget from JSON (None or an object of positive numbers). Raises InvalidRequest naming the field."""
    if value is None:
        return Budget()
    if not isinstance(value, Mapping):
        raise InvalidRequest('budget must be an object such as {"tokens": 20000}', param="budget")
    known = {field.name for field in fields(Budget)}
    unknown = sorted(set(map(str, value)) - known)
    if unknown:
        raise InvalidRequest(
            f"unknown budget unit {unknown[0]!r}: use {', '.join(sorted(known))}", param=f"budget.{unknown[0]}"
        )
    return Budget(
        tokens=_whole(value, "tokens", MAX_TOKENS),
        flops=_positive(value, "flops", MAX_FLOPS),
        rollouts=_whole(value, "rollouts", MAX_ROLLOUTS),
        seconds=_positive(value, "seconds", MAX_SECONDS),
    )


def _positive(value: Mapping[Any, Any], name: str, ceiling: float) -> float | None:
    number = value.get(name)
    if number is None:
        return None
    param = f"budget.{name}"
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not is_finite(number):
        raise InvalidRequest(f"{param} must be a number", param=param)
    if number <= 0:
        raise InvalidRequest(f"{param} must be greater than 0: leave it out for no limit", param=param)
    if number > ceiling:
        raise InvalidRequest(f"{param} must be at most {ceiling:g}: leave it out for no limit", param=param)
    return float(number)


def _whole(value: Mapping[Any, Any], name: str, ceiling: int) -> int | None:
    number = _positive(value, name, ceiling)
    if number is None:
        return None
    if number != int(number):
        raise InvalidRequest(f"budget.{name} must be a whole number", param=f"budget.{name}")
    return int(number)
