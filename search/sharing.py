"""One budget over the lines of a batch that are started one after the other, on many hosts: each line's ceiling, and
the price of compute that adaptive lines are given.

Buying action by action across all searches would need them in one place. Here the same idea works through one number:
every adaptive search stops where the best next action is worth less than its price, so that a common price is
the common Lagrange multiplier of the batch. What the ended lines have cost at their prices says which price would make
the others cost what is left for each; what easy lines leave goes to the later ones.

Laws: the ceilings of the running lines and what is spent never exceed the budget together; beyond a few, no more
adaptive lines run than can each hold its reach, so that ceilings cut short few of them.
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
HELD = 0.5
"""Adaptive lines that run hold this part of what is not spent: the rest is there for the lines that wait."""
STEEPNESS = 1.5
"""How cost answers to price: a line is taken to cost 1.6 times as much at half the price, 2 to the power of 1 / 1.5."""
SURVIVORS = 3.0
"""A line that runs is taken to cost so many times what the ended ones did in the mean: the dear ones run longest."""
STEEPEST = 64.0
CHEAPEST, DEAREST = 1e-6, 1.0
LEAST_SHARE = 8
"""A window is refilled when 1/8 of it is free: many jobs in one transaction."""
MOST_SHARE = 4
"""And by 1/4 at once: while some lines are run, others are written and the next are started."""
FEW = 8
"""Before this many lines have ended, their mean says little about the rest; so many adaptive lines begin."""


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
    paid: float | None = None
    """Geometric mean of the prices of the lines that have ended; None: unknown, or none had a price."""

    @property
    def total(self) -> int:
        return self.ended + self.unended

    @property
    def unended(self) -> int:
        return self.running + self.waiting

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
    """The next line's ceiling and strategy, and the pool without them; None: not now, as the pool is dry or adaptive
    lines must end first.

    `own` is the line's own budget, which is never raised.
    """
    if not pool.limited:
        return _started(pool), Grant(own, strategy)
    if pool.dry or (isinstance(strategy, Adaptive) and pool.running >= _abreast(pool)):
        return None
    ceilings = {unit: _ceiling(pool, unit, reaches=isinstance(strategy, Adaptive)) for unit in UNITS}
    budget = Budget(
        tokens=_whole(_least(ceilings["tokens"], own.tokens)),
        flops=_least(ceilings["flops"], own.flops),
        rollouts=_whole(_least(ceilings["rollouts"], own.rollouts)),
        seconds=own.seconds,
    )
    if isinstance(strategy, Adaptive):
        strategy = replace(strategy, price=price(pool, strategy.price))
    return replace(_started(pool), reserved=_sum(pool, budget)), Grant(budget, strategy)


def room(pool: Pool, window: int) -> int:
    """How many lines may be started now, of a batch with at most `window` in flight."""
    free = window - pool.running
    if free < max(1, window // LEAST_SHARE):
        return 0
    return min(free, -(-window // MOST_SHARE))


def price(pool: Pool, base: float) -> float:
    """The least gain in P(right) for the cost of one plain sample, as it is now for the lines that start.

    Cost is set against the price that it was paid at: where lines cost what is left for each, the price comes to rest.
    """
    if pool.ended < FEW:
        return base
    pressure = max(_pressure(pool, unit) for unit in UNITS)
    found = (base if pool.paid is None else pool.paid) * pressure**STEEPNESS
    low = max(CHEAPEST, base / STEEPEST)
    return float(max(low, min(DEAREST, base * STEEPEST, found)))


def _abreast(pool: Pool) -> int:
    """Adaptive lines in flight at most: few until some have shown what they cost, then each with its reach held."""
    return max(FEW, min(pool.ended, int(HELD * pool.unended / REACH)))


def _pressure(pool: Pool, unit: str) -> float:
    """The mean cost of the lines, in shares of what is left for each that has not ended.

    The first lines to end are the cheap ones, and those that run are mostly dear: each counts as `SURVIVORS` that have
    ended, and as its share at least.
    """
    limit = getattr(pool.budget, unit)
    if limit is None:
        return 0.0
    spent = float(getattr(pool.spent, unit))
    left = max(0.0, float(limit) - spent) / max(1, pool.unended)
    if left <= 0:
        return STEEPEST
    ended = spent / left
    running = pool.running * max(1.0, SURVIVORS * ended / max(1, pool.ended))
    return min(STEEPEST, (ended + running) / (pool.ended + pool.running))


def _ceiling(pool: Pool, unit: str, *, reaches: bool) -> float | None:
    """An even share of what is left; for an adaptive line more, as far as what such lines may hold goes round."""
    limit = getattr(pool.budget, unit)
    if limit is None:
        return None
    left = pool.left(unit)
    share = max(left / max(1, pool.waiting), LEAST[unit])
    if reaches:
        unspent = float(limit - getattr(pool.spent, unit))
        free = HELD * unspent - (getattr(pool.reserved, unit) or 0)
        share = max(share, min(REACH * unspent / max(1, pool.unended), free / (_abreast(pool) - pool.running)))
    return min(left, share)


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
