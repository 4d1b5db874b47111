"""Symbolic equivalence of answers, asked of a process that is killed when it hangs (`domain.ports.AnswerEquivalence`).

Law: exact comparison first; a timeout or a crash is "not equal", logged without the answers' text; two different
rationals are never equal. Light: sympy is loaded in the child only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from domain.errors import EngineError
from inference.answers.keys import decided
from inference.answers.rounding import may_be_rounded

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
"""Of processor time; the child ends itself after it."""
BUSY = 4
"""Wall-clock, in these timeouts, after which a child is killed that has not ended itself: on a busy machine it may
have been waiting for its turn."""
START_TIMEOUT_S = 60.0
_ROOT = Path(__file__).resolve().parents[2]
_CHANCES = 2
"""Timeouts after which an answer is compared exactly only."""
_REMEMBERED_PAIRS = 100_000


Question: TypeAlias = tuple[str, str, bool]
"""Two keys, and whether decimals may be roundings."""


class _Worker:
    """One child process, used by one caller at a time and started again after it was killed."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process: asyncio.subprocess.Process | None = None

    async def equal(self, question: Question) -> bool | None:
        """None when it took too long or the child died."""
        process = await self._running()
        try:
            return await asyncio.wait_for(_exchange(process, question), self._timeout_s * BUSY)
        except (TimeoutError, OSError, ValueError) as error:
            logger.warning("a symbolic comparison gave no answer (%s): taken as not equal", type(error).__name__)
            await self.stop()
            return None
        except asyncio.CancelledError:
            await self.stop()  # its answer would be read as the next pair's
            raise

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await _start(self._timeout_s)
        return self._process

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


async def _exchange(process: asyncio.subprocess.Process, question: Question) -> bool:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question).encode() + b"\n")
    await process.stdin.drain()
    return json.loads(await process.stdout.readline()) is True


async def _start(timeout_s: float) -> asyncio.subprocess.Process:
    """Raises EngineError when the child does not come up."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "inference.answers.worker", str(timeout_s),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if ready.strip() != b"ready":
        await process.wait()
        raise EngineError("the process that compares answers can't start: is math-verify installed?")
    return process


class SymbolicEquivalence:
    """Implements `domain.ports.AnswerEquivalence`; belongs to one event loop. Close it with `close`."""

    def __init__(self, *, workers: int = 1, timeout_s: float = TIMEOUT_S) -> None:
        self._all = [_Worker(timeout_s) for _ in range(workers)]
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._all:
            self._free.put_nowait(worker)
        self._hung: Counter[str] = Counter()
        self._known: OrderedDict[Question, bool] = OrderedDict()

    async def equivalent(self, key: str, others: Sequence[str]) -> tuple[str, ...]:
        """Those of `others` that are equal to `key`. Raises EngineError when no child process can be started."""
        return tuple([other for other in others if await self.equal(key, other)])

    async def equal(self, left: str, right: str) -> bool:
        verdict = decided(left, right)
        if verdict is not None:
            return verdict
        return await self._answered((min(left, right), max(left, right), False))

    async def close_enough(self, left: str, right: str) -> bool:
        """Equal, or decimals of one are roundings of the other (`rounding`): to grade with, never to merge votes."""
        if await self.equal(left, right):
            return True
        if not (may_be_rounded(left) or may_be_rounded(right)):
            return False
        return await self._answered((min(left, right), max(left, right), True))

    async def _answered(self, question: Question) -> bool:
        if question not in self._known:
            self._remember(question, await self._ask(question))
        return self._known[question]

    async def close(self) -> None:
        for worker in self._all:
            await worker.stop()

    async def _ask(self, question: Question) -> bool:
        # One text that hangs must not cost a timeout against every other answer of its search.
        if any(self._hung[key] >= _CHANCES for key in question[:2]):
            return False
        worker = await self._free.get()
        try:
            equal = await worker.equal(question)
        finally:
            self._free.put_nowait(worker)
        if equal is None:
            self._hung.update(question[:2])
        return bool(equal)

    def _remember(self, question: Question, equal: bool) -> None:
        self._known[question] = equal
        if len(self._known) > _REMEMBERED_PAIRS:
            self._known.popitem(last=False)
