"""A batch with one budget, played through the service's own rules from searches that were recorded at many prices.

The rules are those of `search.sharing`, asked as `storage.batch_dispatch` asks them: lines in order, a window of them
in flight, each with its ceiling and price. What a line then costs, and whether it is right, is that of its search at
the recorded price that is nearest to the granted one (by their ratio). All lines in flight go on at the same pace, so
that one ends once it has spent what it costs.

Law: a line that its ceiling cuts short is charged the whole ceiling; what it would return is taken from the search at
the next higher price that fits, since that is where a search stands before the action that it cannot finish.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.budget import Budget, Spend
from domain.specs.adaptive import Adaptive
from search.sharing import Pool, grant, room

WINDOW = 128
"""The service's."""
BASE = Adaptive()
"""What a line asks for that says nothing."""


@dataclass(frozen=True, slots=True)
class Searched:
    cost: float
    """FLOPs."""
    right: bool


Recorded: TypeAlias = Mapping[float, Searched]
"""One problem's searches by price."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one."""

    cost: float
    right: bool
    price: float | None = None
    """Granted; None: the budget had nothing left for it."""
    cut: bool = False
    """Its ceiling ended it."""


@dataclass(frozen=True, slots=True)
class Played:
    lines: tuple[Line, ...]
    budget: float

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return sum(one.cost for one in self.lines) / self.budget


NOTHING = Line(0.0, False)


@dataclass(frozen=True, slots=True, order=True)
class _Running:
    end: float
    """When it ends, in FLOPs that each line in flight has been given."""
    number: int
    ceiling: float


class _Batch:
    """One that is under way."""

    def __init__(self, recorded: Sequence[Recorded], budget: float, window: int) -> None:
        self.pool = Pool(Budget(flops=budget), Spend(), Budget(flops=0.0), ended=0, running=0, waiting=len(recorded))
        self.lines = [NOTHING] * len(recorded)
        self._recorded, self._window = recorded, window
        self._running: list[_Running] = []
        self._now = 0.0

    def run(self) -> None:
        self._start()
        while self._running:
            self._end(heapq.heappop(self._running))
            self._start()

    def _start(self) -> None:
        while starting := min(room(self.pool, self._window), self.pool.waiting):
            for _ in range(starting):
                given = grant(self.pool, Budget(), BASE)
                if given is None:
                    return
                self.pool, granted = given
                assert isinstance(granted.strategy, Adaptive)
                assert granted.budget.flops is not None
                self._begin(granted.strategy.price, granted.budget.flops)

    def _begin(self, price: float, ceiling: float) -> None:
        number = len(self.lines) - self.pool.waiting - 1
        line = self.lines[number] = searched_at(self._recorded[number], price, ceiling)
        heapq.heappush(self._running, _Running(self._now + line.cost, number, ceiling))

    def _end(self, one: _Running) -> None:
        self._now = one.end
        held = self.pool.reserved.flops or 0.0
        self.pool = replace(
            self.pool,
            spent=self.pool.spent + Spend(flops=self.lines[one.number].cost),
            reserved=Budget(flops=max(0.0, held - one.ceiling)),
            ended=self.pool.ended + 1,
            running=self.pool.running - 1,
            paid=self._paid_with(self.lines[one.number].price),
        )

    def _paid_with(self, price: float | None) -> float | None:
        """The mean price with one more."""
        assert price is not None
        ended, before = self.pool.ended, self.pool.paid
        return price if before is None else math.exp((ended * math.log(before) + math.log(price)) / (ended + 1))


def play(recorded: Sequence[Recorded], budget: float, window: int = WINDOW) -> Played:
    """Lines in order; `budget` in FLOPs."""
    batch = _Batch(recorded, budget, window)
    batch.run()
    return Played(tuple(batch.lines), budget)


def searched_at(recorded: Recorded, price: float, ceiling: float) -> Line:
    """A line with this price and ceiling (FLOPs)."""
    nearest = min(recorded, key=lambda one: abs(math.log(one / price)))
    found = recorded[nearest]
    if found.cost <= ceiling:
        return Line(found.cost, found.right, price)
    fitting = [one for one in recorded if one > nearest and recorded[one].cost <= ceiling]
    return Line(ceiling, bool(fitting) and recorded[min(fitting)].right, price, cut=True)
