"""Weighted fair sharing, pure: who gets the next slot, and whose call goes next.

Law of slots: the next one goes to the tenant with the fewest running jobs for its weight. The last slots of a worker
are reserved for tenants that run little, so that a newcomer never waits for the end of somebody's long jobs.

Law of calls (start-time fair queueing; Goyal, Vin and Cheng 1996): each tenant has a clock that advances by cost ÷
weight with every call of it that goes; the call of the slowest clock goes next. Who was idle starts at the present and
has saved nothing up. Within a tenant: highest priority first, then oldest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")

TIDY_AT_FIRST = 64
"""Tenants that a queue remembers before it looks for the first time which it may forget."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One tenant that has jobs to be claimed."""

    weight: float
    running: int
    waiting: int
    """Jobs that may be claimed now."""


def share_out(room: int, reserved: int, demands: Mapping[str, Demand]) -> dict[str, int]:
    """How many jobs of each tenant to claim into `room` free slots, of which the last `reserved` are for tenants that
    run less than their weighted share of so many."""
    total = sum(demand.weight for demand in demands.values())
    given: dict[str, int] = {}
    heap = [(_pressure(demand), name, demand) for name, demand in demands.items() if demand.waiting > 0]
    heapq.heapify(heap)
    while heap and room > 0:
        _, name, demand = heapq.heappop(heap)
        if room <= reserved and demand.running >= max(1.0, reserved * demand.weight / total):
            continue
        given[name] = given.get(name, 0) + 1
        room -= 1
        rest = replace(demand, running=demand.running + 1, waiting=demand.waiting - 1)
        if rest.waiting > 0:
            heapq.heappush(heap, (_pressure(rest), name, rest))
    return given


def _pressure(demand: Demand) -> float:
    return (demand.running + 1) / demand.weight


@dataclass
class _Line(Generic[Item]):
    """What one tenant has waiting."""

    weight: float = 1.0
    clock: float = 0.0
    heap: list[tuple[int, int, float, Item]] = field(default_factory=list)


class FairQueue(Generic[Item]):
    """Waiting calls of all tenants."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line[Item]] = {}
        self._order: list[tuple[float, int, str]] = []
        """Of each line with something in it: its clock, the turn in which it took its place, the tenant."""
        self._now = 0.0
        self._turns = count()
        self._size = 0
        self._tidy_at = TIDY_AT_FIRST

    def __len__(self) -> int:
        return self._size

    def push(self, tenant: str, weight: float, priority: int, cost: float, item: Item) -> None:
        """`cost` is in any unit that is the same for all."""
        line = self._lines.setdefault(tenant, _Line())
        line.weight = weight
        if not line.heap:
            line.clock = max(line.clock, self._now)
            self._stand(tenant, line)
        heapq.heappush(line.heap, (-priority, next(self._turns), cost, item))
        self._size += 1

    def pop(self, wanted: Callable[[Item], bool] = lambda item: True) -> Item | None:
        """The call that goes next; None when none waits. What is not wanted any more leaves without a charge."""
        while self._order:
            self._now, _, tenant = heapq.heappop(self._order)
            line = self._lines[tenant]
            _, _, cost, item = heapq.heappop(line.heap)
            self._size -= 1
            going = wanted(item)
            if going:
                line.clock += max(cost, 0.0) / line.weight
            if line.heap:
                self._stand(tenant, line)
            if going:
                self._forget_idle()
                return item
        return None

    def _stand(self, tenant: str, line: _Line[Item]) -> None:
        heapq.heappush(self._order, (line.clock, next(self._turns), tenant))

    def _forget_idle(self) -> None:
        """A clock that the present has passed says nothing any more; when nobody waits, nobody is ahead of anybody."""
        if not self._order:
            self._lines.clear()
        elif len(self._lines) >= self._tidy_at:
            self._lines = {name: line for name, line in self._lines.items() if line.heap or line.clock > self._now}
            self._tidy_at = max(TIDY_AT_FIRST, 2 * len(self._lines))
