"""The traffic of a load run: submissions at a fixed pace, and polls and event streams beside them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.loading.wire import Wire

JOBS = "/v1/reasoning/jobs"
SHORT = {"problem": "What is 17 * 23?", "strategy": {"name": "self_consistency", "n": 1, "max_tokens": 64}}
LONG = {
    "problem": "What is 19 * 29?",
    "strategy": {"name": "revisions", "n": 4096, "ratio": 4096, "selection": "majority", "max_tokens": 64},
    "priority": 100,
}
"""One rollout after the other: a few events a second, for longer than any run."""
LONG_POLL_S = 5
OPENING_S = 60.0


@dataclass
class Timed:
    """Answers to one kind of request."""

    ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    """How much later than planned each was sent: the sender's own fault."""
    failures: Counter[str] = field(default_factory=Counter)


async def paced(
    wire: Wire, path: str, body: Any, rate: float, seconds: float, into: Timed, made: deque[str] | None = None
) -> None:
    """Send at fixed moments, whether or not earlier answers have come (an open loop)."""
    loop = asyncio.get_running_loop()
    start, tasks = loop.time(), set()
    for number in range(int(rate * seconds)):
        at = start + number / rate
        await asyncio.sleep(max(0.0, at - loop.time()))
        into.late_ms.append(max(0.0, loop.time() - at) * 1000)
        task = asyncio.create_task(_submit(wire, path, body, into, made))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=30)


async def _submit(wire: Wire, path: str, body: Any, into: Timed, made: deque[str] | None) -> None:
    loop = asyncio.get_running_loop()
    sent = loop.time()
    try:
        status, content = await wire.request("POST", path, body)
    except (OSError, EOFError) as error:
        into.failures[type(error).__name__] += 1
        return
    into.ms.append((loop.time() - sent) * 1000)
    if status != 202:
        into.failures[str(status)] += 1
    elif made is not None:
        made.append(json.loads(content)["id"])


async def polls(wire: Wire, made: Sequence[str], rate: float, into: Timed) -> None:
    """Reads of jobs made lately, for ever; each tenth waits for the end of its job."""
    number = 0
    async with asyncio.TaskGroup() as group:
        while True:
            number += 1
            await asyncio.sleep(1 / rate)
            if made:
                headers = {"Prefer": f"wait={LONG_POLL_S}"} if number % 10 == 0 else {}
                group.create_task(_poll(wire, random.choice(made), headers, into))


async def _poll(wire: Wire, job: str, headers: dict[str, str], into: Timed) -> None:
    try:
        status, _ = await wire.request("GET", f"{JOBS}/{job}", None, headers)
        into.failures[str(status)] += status != 200
    except (OSError, EOFError) as error:
        into.failures[type(error).__name__] += 1


@dataclass
class Streams:
    """Open event streams over a few long jobs."""

    opened: int = 0
    """Those that have brought something."""
    events: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    async def all_open(self, number: int) -> None:
        """Returns when so many are open (or broken): the load is that of open streams. Raises TimeoutError."""
        async with asyncio.timeout(OPENING_S):
            while self.opened + self.broken.total() < number:
                self._change.clear()
                await self._change.wait()

    async def follow(self, wire: Wire, job: str) -> None:
        """One stream, until it is cancelled."""
        came = False
        try:
            async for chunk in wire.stream(f"{JOBS}/{job}/events"):
                self.opened += not came
                came = True
                self.events += chunk.count(b"\nevent: ")
                self._change.set()
            self.broken["ended"] += 1
        except (OSError, EOFError, ValueError) as error:
            self.broken[type(error).__name__] += 1
        self._change.set()
