"""What is measured, in order of worth: if time ends early, what is missing is what matters least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.curving.methods import ADAPTIVE, EFFORT, OPTIMAL, STEPWISE, VOTING, Method
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem

SHORT = 64
"""Size of the pools that every problem gets first: that of the reference."""
POOLED = (ADAPTIVE, EFFORT, OPTIMAL, VOTING)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    items: tuple[ProblemItem, ...]
    live: int
    """Problems for the methods that expand steps."""
    seeds: tuple[int, ...]
    most: int
    """The largest n."""

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(2**at for at in range(self.most.bit_length()) if 2**at <= self.most)

    @property
    def live_items(self) -> tuple[ProblemItem, ...]:
        return spread(self.items, self.live)


def spread(items: Sequence[ProblemItem], n: int) -> tuple[ProblemItem, ...]:
    """At most `n` of them, of all levels alike, in their order: of each level the first ones."""
    seen: dict[int, int] = {}
    ranks = []
    for at, item in enumerate(items):
        seen[item.level] = seen.get(item.level, 0) + 1
        ranks.append((seen[item.level], item.level, at))
    return tuple(items[at] for _, _, at in sorted(sorted(ranks)[:n], key=lambda one: one[2]))


def parts(extent: Extent) -> tuple[Part, ...]:
    """The pools of every seed, then larger ones, and steps. One seed tells what the exact checker would make of it."""
    first, *others = extent.seeds
    found = [one for seed in extent.seeds for one in _pools(extent, seed, SHORT)]
    found += [*_pools(extent, first, extent.most), *_steps(extent, first, "n ≤ 16"), *_steps(extent, first, "n > 16")]
    for seed in others:
        found += [*_pools(extent, seed, extent.most), *_steps(extent, seed, "n ≤ 16"), *_steps(extent, seed, "n > 16")]
    return tuple(dict.fromkeys(found))


def _pools(extent: Extent, seed: int, size: int) -> Iterator[Part]:
    """With the searches of all budgets; what these ask beyond the pool is sampled for them, and mostly shared."""
    size = min(size, extent.most)
    sizes = tuple(n for n in extent.sizes if n <= size)
    budgets = tuple(n for n in extent.sizes if n >= 4)
    checked = seed == extent.seeds[0]
    yield Part(f"pools of {size}, seed {seed}", extent.items, seed, size, sizes, POOLED, budgets, checked)


def _steps(extent: Extent, seed: int, which: str) -> Iterator[Part]:
    budgets = tuple(n for n in _powers_of_4(extent) if (n > 16) == (which == "n > 16"))
    if budgets:
        yield Part(
            f"searches over steps, {which}, seed {seed}", extent.live_items, seed, 0, (), _names(STEPWISE), budgets
        )


def _names(methods: Sequence[Method]) -> tuple[str, ...]:
    return tuple(one.name for one in methods)


def _powers_of_4(extent: Extent) -> tuple[int, ...]:
    return tuple(n for n in extent.sizes if 4 <= n <= SHORT and n.bit_length() % 2)
