"""Rows as tables: what each method came to at each budget, by problem, over the seeds.

Law: two things are compared on the problems and seeds that both were measured on, and on no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

import numpy as np

from evaluation.curving.methods import MAJORITY, METHODS
from evaluation.curving.rows import VERIFIER, Row
from evaluation.quality.record import ProblemItem
from evaluation.statistics import UNKNOWN, Array, Bootstrap, Interval

Key: TypeAlias = tuple[str, int]
"""Problem and seed."""
Cell: TypeAlias = Mapping[Key, Row]
"""One method in one arm at one budget."""
BINS = 5


@dataclass
class Table:
    items: Sequence[ProblemItem]
    rows: Iterable[Row]
    cells: dict[tuple[str, str, int], dict[Key, Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {item.id for item in self.items}
        for row in self.rows:
            if row.problem in known:
                self.cells.setdefault((row.method, row.arm, row.budget), {})[row.problem, row.seed] = row
        self.groups = {"all": known} | _levels(self.items) | _bins(self.items, self.cells)

    def curve(self, method: str, arm: str = VERIFIER) -> dict[int, Cell]:
        """By budget."""
        found = {n: cell for (name, where, n), cell in self.cells.items() if (name, where) == (method, arm)}
        return dict(sorted(found.items()))

    def names(self) -> list[tuple[str, str]]:
        """Methods and arms that were measured, in the order in which methods are listed."""
        order = list(METHODS)
        seen = {(name, arm) for name, arm, _ in self.cells}
        # A name may say whose it is before a colon.
        return sorted(seen, key=lambda one: (one[1] != VERIFIER, order.index(one[0].split(": ")[-1]), one[0]))

    def within(self, cell: Cell, group: str) -> Cell:
        members = self.groups[group]
        return {key: row for key, row in cell.items() if key[0] in members}


def _levels(items: Sequence[ProblemItem]) -> dict[str, set[str]]:
    levels = sorted({item.level for item in items})
    return {f"level {level}": {item.id for item in items if item.level == level} for level in levels}


def _bins(items: Sequence[ProblemItem], cells: Mapping[tuple[str, str, int], Cell]) -> dict[str, set[str]]:
    """Quintiles of measured pass@1, 1 the easiest; none before something was sampled."""
    seen: dict[Key, Row] = {}
    for (name, _, n), cell in sorted(cells.items(), key=lambda one: one[0][2]):
        if name == MAJORITY and n > 1:
            seen |= cell  # the largest pool of each comes last
    shares: dict[str, list[float]] = {}
    for (problem, _), row in seen.items():
        shares.setdefault(problem, []).append(row.share or 0.0)
    ranked = sorted(shares, key=lambda one: (-sum(shares[one]) / len(shares[one]), one))
    if len(ranked) < BINS:
        return {}
    parts = np.array_split(np.array(ranked, dtype=object), BINS)
    return {f"bin {at}": set(part) for at, part in enumerate(parts, start=1)}


def common(cells: Iterable[Cell]) -> list[Key]:
    keys = [set(cell) for cell in cells]
    return sorted(set.intersection(*keys)) if keys else []


def by_problem(cell: Cell, keys: Sequence[Key], attribute: str) -> Array:
    """The mean over seeds of one attribute, in the order of the problems in `keys`."""
    sums: dict[str, list[float]] = {}
    for key in keys:
        sums.setdefault(key[0], []).append(float(getattr(cell[key], attribute)))
    return np.array([sum(values) / len(values) for values in sums.values()])


@cache
def bootstrap(problems: int) -> Bootstrap:
    return Bootstrap(problems)


def mean(cell: Cell, attribute: str = "right") -> Interval:
    """Over problems, each the mean of its seeds."""
    if not cell:
        return UNKNOWN
    values = by_problem(cell, sorted(cell), attribute)
    draw = bootstrap(len(values))
    return draw.share(values) if attribute == "right" else draw.mean(values)


def difference(one: Cell, other: Cell, attribute: str = "right") -> Interval:
    """`one` minus `other`, paired."""
    keys = common([one, other])
    if not keys:
        return UNKNOWN
    values = by_problem(one, keys, attribute) - by_problem(other, keys, attribute)
    return bootstrap(len(values)).mean(values)


def total(cell: Cell, attribute: str, keys: Sequence[Key] | None = None) -> float:
    """The mean over problems, without an interval."""
    return float(by_problem(cell, sorted(cell) if keys is None else keys, attribute).mean())
