"""Which steps go on: the candidates of a round, merged, in the order in which a strategy prefers them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.moves import FinishReason
from search.choosing import value_of
from search.frontier import Frontier, Spec, open_step, places, round_nodes, step_of
from search.tree import Node, NodeStatus


@dataclass(frozen=True, slots=True)
class Contender:
    """One distinct step of a round, in one branch."""

    node: Node
    """The earliest of all twins: what follows hangs on it, in whichever branch."""
    branch: int
    count: int
    """How often the branch sampled it."""
    value: float | None
    """Its aggregated score; None while it has none. There is no number for a failed score."""

    @property
    def open(self) -> bool:
        return open_step(self.node)


def contenders(state: Frontier[Spec]) -> tuple[Contender, ...]:
    """The round's steps that can go on or are solutions, merged by branch; look-ahead is none of them."""
    earliest: dict[tuple[object, ...], Node] = {}
    counts: dict[tuple[Node, int], int] = {}
    for node, place in zip(round_nodes(state), places(state), strict=False):
        if place.greedy or not (open_step(node) or node.finished):
            continue
        chosen = earliest.setdefault(step_of(node), node)
        counts[chosen, place.branch] = counts.get((chosen, place.branch), 0) + 1
    return tuple(
        Contender(node, branch, count, value_of(node, state.spec.aggregation))
        for (node, branch), count in counts.items()
    )


def ranked(group: Iterable[Contender]) -> list[Contender]:
    """Best first, the more frequent and the earlier among equals. Without a score a step takes no part, unless none of
    the group has one: then the samples' own votes decide."""
    group = list(group)
    known = [one for one in group if one.value is not None] or group
    return sorted(known, key=lambda one: (-(one.value or 0.0), -one.count, one.node.id))


def ended(state: Frontier[Spec]) -> int:
    """Samples after which nothing can be asked: finished, or cut."""
    return sum(node.status is NodeStatus.SAMPLED and node.finish is not FinishReason.STOP for node in state.nodes)


def split_evenly(total: int, parts: int) -> tuple[int, ...]:
    """`total` in whole parts that differ by one at most, the larger ones first."""
    each, more = divmod(total, parts)
    return tuple(each + (part < more) for part in range(parts))


def split_by(weights: Sequence[float], total: int) -> tuple[int, ...]:
    """`total` in whole parts in proportion to positive weights, by largest remainder (the earlier among equals)."""
    whole = math.fsum(weights)
    shares = [total * weight / whole for weight in weights]
    parts = [math.floor(share) for share in shares]
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - shares[at], at))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return tuple(parts)


def continuations(n: int, width: int | str) -> int:
    """Samples of one beam at each step: the paper's M, at most n; "sqrt" is √n, rounded."""
    return min(n, round(math.sqrt(n)) if isinstance(width, str) else width)
