"""What a tenant may use, and what amounts cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from domain.budget import Spend
from domain.errors import InvalidRequest

MAX_WEIGHT = 1000.0
LARGEST = 2**31 - 1
LARGEST_TOKENS = 2**62
LARGEST_COST = 1e9
_MILLION = 1e6
_EXA = 1e18


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one tenant; None: no limit."""

    weight: float = 1.0
    """Share of slots and of search steps, relative to the other tenants that have work."""
    max_running: int | None = None
    """Jobs in progress at once; more wait. 0: the tenant is paused."""
    max_queued: int | None = None
    """Jobs that wait; more are refused (429). 0: nothing is taken."""
    tokens_per_day: int | None = None
    """Generated plus verified tokens of a UTC day; then nothing is taken or begun until the next one."""
    cost_per_day: float | None = None
    """The same in money, where prices are set."""
    requests_per_minute: int | None = None
    retention_days: int | None = None
    """Ended jobs are erased after so many days; 0: within minutes. None: never."""


_BOUNDS: dict[str, tuple[float, float]] = {
    "max_running": (0, LARGEST),
    "max_queued": (0, LARGEST),
    "tokens_per_day": (0, LARGEST_TOKENS),
    "cost_per_day": (0, LARGEST_COST),
    "requests_per_minute": (1, LARGEST),
    "retention_days": (0, 36_500),
}
LIMIT_NAMES = tuple(item.name for item in fields(Limits))


def parse_limits(values: Mapping[str, object]) -> dict[str, float | int | None]:
    """Those of the given limits, checked; None takes a limit away. Raises InvalidRequest naming the limit."""
    return {name: _parse(name, value) for name, value in values.items()}


def _parse(name: str, value: object) -> float | int | None:
    if name == "weight":
        number = _number(name, value)
        if not 0 < number <= MAX_WEIGHT:
            raise InvalidRequest(f"weight must be greater than 0 and at most {MAX_WEIGHT:g}", param=name)
        return number
    if name not in _BOUNDS:
        raise InvalidRequest(f"unknown limit: use {', '.join(LIMIT_NAMES)}", param=name)
    if value is None:
        return None
    number, (low, high) = _number(name, value), _BOUNDS[name]
    if not low <= number <= high or (name != "cost_per_day" and number != int(number)):
        kind = "number" if name == "cost_per_day" else "whole number"
        raise InvalidRequest(f"{name} must be a {kind} from {low:g} to {high:g}, or null for no limit", param=name)
    return number if name == "cost_per_day" else int(number)


def _number(name: str, value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidRequest(f"{name} must be a number", param=name)
    return value


@dataclass(frozen=True, slots=True)
class Prices:
    """In any one currency. What is not set costs nothing."""

    prompt: float = 0.0
    """Per million prompt tokens; so the next two."""
    generated: float = 0.0
    verified: float = 0.0
    exaflop: float = 0.0
    """Per 10^18 floating-point operations."""

    def cost(self, spend: Spend) -> float:
        tokens = (
            self.prompt * spend.prompt_tokens
            + self.generated * spend.generated_tokens
            + self.verified * spend.verified_tokens
        )
        return tokens / _MILLION + self.exaflop * spend.flops / _EXA


FREE = Prices()
