"""One budget over a set of problems: where should the next unit of compute go?

Each problem's search says what its best next action would gain in P(right) and cost. The batch has one price of
compute (a Lagrange multiplier): an action is bought when its gain per cost is at least the price. The price falls until
the next action fits, so that the best bargains of the whole set are bought first, and rises when better ones turn up.

Law: the order of what is bought is fixed by the offers alone; equal offers go to the earlier problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Offer:
    """The best next action of one problem's search."""

    gain: float
    """Expected change of P(right)."""
    cost: float
    """Expected, in whatever unit the batch's budget is in; more than 0."""

    @property
    def worth(self) -> float:
        return self.gain / self.cost


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch under way. `reserved` stands for actions that were bought and have not been paid yet."""

    budget: float
    spent: float = 0.0
    reserved: tuple[tuple[int, float], ...] = ()
    price: float = 0.0
    """The worth of the latest action that was bought."""

    @property
    def left(self) -> float:
        return self.budget - self.spent - sum(cost for _, cost in self.reserved)


def buy(batch: Batch, offers: Mapping[int, Offer], limit: int) -> tuple[Batch, tuple[int, ...]]:
    """Up to `limit` problems whose offers are bought now, best bargain first, while their costs fit what is left.

    An offer that does not fit is passed over for cheaper ones; one without any gain is never bought.
    """
    ranked = sorted((item for item in offers.items() if item[1].gain > 0), key=lambda item: (-item[1].worth, item[0]))
    bought: list[int] = []
    for problem, offer in ranked:
        if len(bought) >= limit:
            break
        if offer.cost <= batch.left:
            reserved = tuple(sorted((*batch.reserved, (problem, offer.cost))))
            batch = replace(batch, reserved=reserved, price=offer.worth)
            bought.append(problem)
    return batch, tuple(bought)


def pay(batch: Batch, problem: int, cost: float) -> Batch:
    """An action's actual cost takes the place of its reservation."""
    reserved = tuple(one for one in batch.reserved if one[0] != problem)
    return replace(batch, spent=batch.spent + cost, reserved=reserved)
