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

from domain.errors import EngineError
from inference.answers.keys import decided

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
START_TIMEOUT_S = 60.0
_ROOT = Path(__file__).resolve().parents[2]
_CHANCES = 2
"""Timeouts after which an answer is compared exactly only."""
_REMEMBERED_PAIRS = 100_000


class _Worker:
    """One child process, used by one caller at a time and started again after it was killed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def equal(self, left: str, right: str, timeout_s: float) -> bool | None:
        """None when it took too long or the child died."""
        process = await self._running()
        try:
            return await asyncio.wait_for(_exchange(process, [left, right]), timeout_s)
        except (TimeoutError, OSError, ValueError) as error:
            logger.warning("a symbolic comparison gave no answer (%s): taken as not equal", type(error).__name__)
            await self.stop()
            return None
        except asyncio.CancelledError:
            await self.stop()  # its answer would be read as the next pair's
            raise

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await _start()
        return self._process

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


async def _exchange(process: asyncio.subprocess.Process, pair: list[str]) -> bool:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(pair).encode() + b"\n")
    await process.stdin.drain()
    return json.loads(await process.stdout.readline()) is True


async def _start() -> asyncio.subprocess.Process:
    """Raises EngineError when the child does not come up."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "inference.answers.worker",
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
        self._timeout_s = timeout_s
        self._all = [_Worker() for _ in range(workers)]
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._all:
            self._free.put_nowait(worker)
        self._hung: Counter[str] = Counter()
        self._known: OrderedDict[tuple[str, str], bool] = OrderedDict()

    async def equivalent(self, key: str, others: Sequence[str]) -> tuple[str, ...]:
        """Those of `others` that are equal to `key`. Raises EngineError when no child process can be started."""
        return tuple([other for other in others if await self.equal(key, other)])

    async def equal(self, left: str, right: str) -> bool:
        verdict = decided(left, right)
        if verdict is not None:
            return verdict
        pair = (min(left, right), max(left, right))
        if pair not in self._known:
            self._remember(pair, await self._ask(pair))
        return self._known[pair]

    async def close(self) -> None:
        for worker in self._all:
            await worker.stop()

    async def _ask(self, pair: tuple[str, str]) -> bool:
        # One text that hangs must not cost a timeout against every other answer of its search.
        if any(self._hung[key] >= _CHANCES for key in pair):
            return False
        worker = await self._free.get()
        try:
            equal = await worker.equal(*pair, self._timeout_s)
        finally:
            self._free.put_nowait(worker)
        if equal is None:
            self._hung.update(pair)
        return bool(equal)

    def _remember(self, pair: tuple[str, str], equal: bool) -> None:
        self._known[pair] = equal
        if len(self._known) > _REMEMBERED_PAIRS:
            self._known.popitem(last=False)
