"""One budget over the lines of a batch that are started one after the other, on many hosts: each line's ceiling, and
the price of compute that adaptive lines are given.

`search.allocation` buys action by action, which needs all searches in one place. Here the same idea works through one
number: every adaptive search stops where the best next action is worth less than its price, so that a common price is
the common Lagrange multiplier of the batch. The price rises while the lines that have ended cost more than their share
and falls while they cost less; what easy lines leave goes to the later ones.

Law: the ceilings of the running lines and what is spent never exceed the budget together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.budget import Budget, Spend
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive

UNITS = ("tokens", "flops", "rollouts")
LEAST = {"tokens": 64, "rollouts": 1, "flops": 1.0}
"""A line that gets less than this can't even begin."""
REACH = 8.0
"""An adaptive line may use up to this many shares: its price holds it back where that brings little."""
STEEPNESS = 1.0
STEEPEST = 64.0
CHEAPEST, DEAREST = 1e-6, 1.0
FEW = 8
"""Before this many lines have ended, their mean says little about the rest."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A batch's budget and where it stands."""

    budget: Budget
    spent: Spend
    reserved: Budget
    """Sums of the ceilings of the lines that run."""
    ended: int
    """Lines that have run to their end."""
    running: int
    waiting: int

    @property
    def total(self) -> int:
        return self.ended + self.running + self.waiting

    @property
    def limited(self) -> bool:
        return any(getattr(self.budget, unit) is not None for unit in UNITS)

    def left(self, unit: str) -> float:
        """What is neither spent nor held by a running line; infinite without a limit."""
        limit = getattr(self.budget, unit)
        if limit is None:
            return float("inf")
        return float(limit - getattr(self.spent, unit) - (getattr(self.reserved, unit) or 0))

    @property
    def dry(self) -> bool:
        """Nothing more can be started now."""
        return any(self.left(unit) < LEAST[unit] for unit in UNITS)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one line may do."""

    budget: Budget
    strategy: StrategySpec


def grant(pool: Pool, own: Budget, strategy: StrategySpec) -> tuple[Pool, Grant] | None:
    """The next line's ceiling and strategy, and the pool without them; None when the pool is dry.

    `own` is the line's own budget, which is never raised.
    """
    if not pool.limited:
        return _started(pool), Grant(own, strategy)
    if pool.dry:
        return None
    reach = REACH if isinstance(strategy, Adaptive) else 1.0
    ceilings = {unit: _ceiling(pool, unit, reach) for unit in UNITS}
    budget = Budget(
        tokens=_whole(_least(ceilings["tokens"], own.tokens)),
        flops=_least(ceilings["flops"], own.flops),
        rollouts=_whole(_least(ceilings["rollouts"], own.rollouts)),
        seconds=own.seconds,
    )
    if isinstance(strategy, Adaptive):
        strategy = replace(strategy, price=price(pool, strategy.price))
    return replace(_started(pool), reserved=_sum(pool, budget)), Grant(budget, strategy)


def price(pool: Pool, base: float) -> float:
    """The least gain in P(right) for the cost of one plain sample, as it is now for the lines that start."""
    if pool.ended < FEW:
        return base
    pressure = max(_pressure(pool, unit) for unit in UNITS)
    factor = min(STEEPEST, max(1 / STEEPEST, pressure**STEEPNESS))
    return float(min(DEAREST, max(CHEAPEST, base * factor)))


def _pressure(pool: Pool, unit: str) -> float:
    """The mean cost of the ended lines, in shares of what is left for each line that has not ended."""
    limit = getattr(pool.budget, unit)
    if limit is None:
        return 0.0
    spent = float(getattr(pool.spent, unit))
    left = max(0.0, float(limit) - spent) / max(1, pool.running + pool.waiting)
    return spent / pool.ended / left if left > 0 else STEEPEST


def _ceiling(pool: Pool, unit: str, reach: float) -> float | None:
    if getattr(pool.budget, unit) is None:
        return None
    left = pool.left(unit)
    share = max(left / max(1, pool.waiting), LEAST[unit])
    return min(left, max(share, min(share * reach, left / 2)))


def _started(pool: Pool) -> Pool:
    return replace(pool, running=pool.running + 1, waiting=pool.waiting - 1)


def _least(ceiling: float | None, own: float | None) -> float | None:
    given = [value for value in (ceiling, own) if value is not None]
    return min(given) if given else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _sum(pool: Pool, budget: Budget) -> Budget:
    """Only of the units that the batch limits: a line's own limit in another unit takes nothing from the pool."""
    sums = {unit: (getattr(pool.reserved, unit) or 0) + getattr(budget, unit)
            for unit in UNITS if getattr(pool.budget, unit) is not None}  # fmt: skip
    return Budget(**sums)
