"""What is measured, in order of worth: if time ends early, what is missing is what matters least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.curving.methods import ADAPTIVE, EFFORT, OPTIMAL, REVISING, STEPWISE, VOTING, Method
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem

SHORT = 64
"""Size of the pools that every problem gets first: that of the reference."""
POOLED = (ADAPTIVE, EFFORT, OPTIMAL, VOTING)
HIGHER, HIGHEST = (128,), (256,)
"""Budgets of the efforts above the default one: what they sample beyond a pool they sample themselves."""


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
    """What the issue asks for with the first seed, the other seeds of the pools, then steps and large budgets."""
    first, *others = extent.seeds
    found = [one for seed in extent.seeds for one in _pools(extent, seed, SHORT)]
    found += [one for seed in extent.seeds for one in _efforts(extent, seed, "high effort", HIGHER)]
    found.append(_revisions(extent, first))
    found += [*_steps(extent, first, "n ≤ 16"), *_pools(extent, first, extent.most), *_steps(extent, first, "n > 16")]
    for seed in others:
        found += [_revisions(extent, seed), *_steps(extent, seed, "n ≤ 16"), *_pools(extent, seed, extent.most)]
        found += _steps(extent, seed, "n > 16")
    found += [one for seed in extent.seeds for one in _efforts(extent, seed, "highest effort", HIGHEST)]
    return tuple(dict.fromkeys(found))


def _pools(extent: Extent, seed: int, size: int) -> Iterator[Part]:
    size = min(size, extent.most)
    sizes = tuple(n for n in extent.sizes if n <= size)
    name = f"pools of {size}, seed {seed}"
    yield Part(name, extent.items, seed, size, sizes, POOLED, tuple(n for n in sizes if n >= 4))


def _efforts(extent: Extent, seed: int, name: str, budgets: tuple[int, ...]) -> Iterator[Part]:
    if extent.most >= SHORT:
        yield Part(f"{name}, seed {seed}", extent.items, seed, SHORT, (), (EFFORT,), budgets)


def _revisions(extent: Extent, seed: int) -> Part:
    """Beside as many parallel samples as there are at most, which they are to match with few generations."""
    budgets = _powers_of_4(extent)
    return Part(
        f"revisions, seed {seed}", extent.live_items, seed, extent.most, extent.sizes, _names(REVISING), budgets
    )


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
