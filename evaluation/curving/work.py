"""The work of a measurement in order of worth, shared by problem between processes, until it is done or time is up.

Law: what is in the journal is not measured again; a part that time did not allow is told by name, never guessed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from domain.ids import derive_seed
from evaluation.curving.bench import Bench
from evaluation.curving.journal import Journal, Kept, read_folder
from evaluation.curving.methods import MAJORITY, METHODS, checked_budget
from evaluation.curving.nested import nested_rows
from evaluation.curving.pools import Block, Sampling
from evaluation.curving.rows import CHECKER, VERIFIER, Row, Unit
from evaluation.quality.record import ProblemItem
from evaluation.report import Ticker

PROBLEMS_AT_ONCE = 16
"""Enough to fill the engine's batch, with little left half-done when time is up."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some methods at some budgets on some problems with one seed."""

    name: str
    items: tuple[ProblemItem, ...]
    seed: int
    pool: int
    """Solutions of each problem that are sampled for all methods; 0: none."""
    sizes: tuple[int, ...]
    """Of best-of-n and voting, read off the pool."""
    methods: tuple[str, ...] = ()
    budgets: tuple[int, ...] = ()
    checked: bool = True
    """With searches that the exact checker guides, where the job has them."""

    def units(self, problem: str, checked: bool) -> list[Unit]:
        """The searches on one problem; `checked` adds the exact-checker arm."""
        checked = checked and self.checked
        return [
            (name, arm, n, self.seed, problem)
            for name in self.methods
            for n in self.budgets
            if not METHODS[name].budgets or n in METHODS[name].budgets
            for arm in ((VERIFIER, CHECKER) if checked and METHODS[name].guided and checked_budget(n) else (VERIFIER,))
        ]


@dataclass(frozen=True, slots=True)
class Job:
    """What the processes are told."""

    policy: str
    verifier: str | None
    how: Sampling
    parts: tuple[Part, ...]
    folder: Path
    """The journal."""
    deadline: float | None = None
    """Unix time after which no problem is begun."""
    device: str = "cpu"
    checked: bool = True
    """With the exact-checker arms; they need a verifier to stand for."""

    @property
    def checks(self) -> bool:
        return self.checked and self.verifier is not None


def carry_out(job: Job, workers: int) -> list[Row]:
    """Everything that is known in the end, from this run and earlier ones. Raises ConfigurationError or EngineError."""
    if workers == 1:
        share(job, 0, 1)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"  # the children read it before torch does
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for running in [pool.submit(share, job, at, workers) for at in range(workers)]:
                running.result()
    return list(read_folder(job.folder, blocks=False).rows.values())


def share(job: Job, at: int, workers: int) -> None:
    """The part of the work that process `at` does."""
    try:
        asyncio.run(_Worker(job, at, workers).run())
    except* DeliberateError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """One of the errors: they mostly have one cause."""
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


class _Worker:
    def __init__(self, job: Job, at: int, workers: int) -> None:
        self._job, self._at, self._workers = job, at, workers
        self._kept: Kept = read_folder(job.folder)
        self._journal = Journal(job.folder, f"worker-{at + 1}")

    async def run(self) -> None:
        self._bench = Bench.open(self._job.policy, self._job.verifier, self._job.how, self._job.device)
        try:
            for part in self._job.parts:
                await self._part(part)
        finally:
            await self._bench.close()
            self._journal.close()

    async def _part(self, part: Part) -> None:
        waiting = _mixed(part.items)[self._at :: self._workers]
        progress = Ticker(f"{part.name} [{self._at + 1}/{self._workers}], problems", len(waiting))

        async def take() -> None:
            while waiting and not self._late():
                await self._problem(part, waiting.pop())
                progress.tick()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(PROBLEMS_AT_ONCE, len(waiting))):
                group.create_task(take())

    def _late(self) -> bool:
        return self._job.deadline is not None and time.time() >= self._job.deadline

    async def _problem(self, part: Part, item: ProblemItem) -> None:
        units = [unit for unit in part.units(item.id, self._job.checks) if unit not in self._kept.rows]
        blocks = await self._blocks(part, item)
        pool = await self._bench.pool(item, part.seed, blocks)
        missing = [n for n in part.sizes if not self._is_nested(part, item, n)]
        if missing and blocks:

            async def grade(answer: str | None) -> bool:
                return await self._bench.is_right(item, answer)

            self._keep(await nested_rows(pool, missing, self._job.how, grade, self._bench.equivalence))
        await asyncio.gather(*(self._search(unit, item) for unit in units))
        self._bench.forget(item)

    async def _blocks(self, part: Part, item: ProblemItem) -> dict[int, Block]:
        """Those that are there, and what the part's pool lacks."""
        blocks = self._kept.blocks.setdefault((item.id, part.seed), {})
        have = sum(len(one.samples) for one in blocks.values())
        if have < part.pool:
            block = await self._bench.fill(item, part.seed, have + 1, part.pool)
            self._journal.put(blocks=[block])
            blocks[block.first] = block
        return blocks

    def _is_nested(self, part: Part, item: ProblemItem, n: int) -> bool:
        return (MAJORITY, VERIFIER, n, part.seed, item.id) in self._kept.rows

    async def _search(self, unit: Unit, item: ProblemItem) -> None:
        self._keep([await self._bench.run(unit, item)])

    def _keep(self, rows: Sequence[Row]) -> None:
        self._journal.put(rows)
        self._kept.rows |= {one.unit: one for one in rows}


def _mixed(items: Sequence[ProblemItem]) -> list[ProblemItem]:
    """In an order of their own: files go by subject, and some subjects take twice as long as others."""
    return sorted(items, key=lambda one: derive_seed(0, "work", one.id))


def left_out(job: Job, rows: Sequence[Row]) -> list[str]:
    """Parts that were not done on all of their problems, with how many are missing."""
    done = {one.unit for one in rows}
    found = []
    for part in job.parts:
        missing = sum(not _is_done(part, item, done, job.checks) for item in part.items)
        if missing:
            found.append(f"{part.name}: {missing} of {len(part.items)} problems")
    return found


def _is_done(part: Part, item: ProblemItem, done: set[Unit], checked: bool) -> bool:
    nested = all((MAJORITY, VERIFIER, n, part.seed, item.id) in done for n in part.sizes if n <= part.pool)
    return nested and done.issuperset(part.units(item.id, checked))
