"""What is measured, in order of worth: if time ends early, what is missing is what matters least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.curving.methods import ADAPTIVE, EFFORT, OPTIMAL, REVISING, STEPWISE, VOTING
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
    """Problems for the methods that expand steps or revise."""
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
    """The first seed of everything at small budgets, then more seeds, then large budgets."""
    first, *others = extent.seeds
    found = [*_pools(extent, first, SHORT), *_live(extent, first, small=True)]
    for seed in others:
        found += _pools(extent, seed, SHORT)
    found += [*_live(extent, first, small=False), *_pools(extent, first, extent.most)]
    for seed in others:
        found += [*_live(extent, seed, small=True), *_live(extent, seed, small=False)]
        found += _pools(extent, seed, extent.most)
    return tuple(dict.fromkeys(found))


def _pools(extent: Extent, seed: int, size: int) -> Iterator[Part]:
    size = min(size, extent.most)
    sizes = tuple(n for n in extent.sizes if n <= size)
    name = f"pools of {size}, seed {seed}"
    yield Part(name, extent.items, seed, size, sizes, POOLED, tuple(n for n in sizes if n >= 4))


def _live(extent: Extent, seed: int, *, small: bool) -> Iterator[Part]:
    """At small budgets revisions have their large ones as well: the issue asks for 64 generations."""
    live, revising, stepwise = extent.live_items, _names(REVISING), _names(STEPWISE)
    sizes = _every_other(n for n in extent.sizes if 4 <= n <= SHORT)
    low, high = tuple(n for n in sizes if n <= 16), tuple(n for n in sizes if n > 16)
    if small:
        yield Part(f"revisions, seed {seed}", live, seed, extent.most, extent.sizes, revising, sizes)
        yield Part(f"searches over steps, n ≤ 16, seed {seed}", live, seed, 0, (), stepwise, low)
    elif high:
        yield Part(f"searches over steps, n > 16, seed {seed}", live, seed, 0, (), stepwise, high)


def _names(methods: Sequence[object]) -> tuple[str, ...]:
    return tuple(getattr(one, "name", "") for one in methods)


def _every_other(sizes: Iterator[int]) -> tuple[int, ...]:
    """Powers of 4."""
    return tuple(n for n in sizes if n.bit_length() % 2)
