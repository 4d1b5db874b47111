"""A loop that outlives the parts it needs: what fails is said once, tried again less and less often, and said when
it works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from messaging.outage import Outage

SHORTEST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0

logger = logging.getLogger("deliberate.workers")


async def steadily(name: str, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Repeat `step` until `stop` is set. A step waits by itself when it has nothing to do."""
    outage = Outage(logger, name)
    pause_s = SHORTEST_PAUSE_S
    while not stop.is_set():
        try:
            await step()
        except Exception as error:
            # Also a defect: the other loops of this process go on, and the log has its place.
            outage.failed(error)
            await pause(stop, pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            outage.worked()
            pause_s = SHORTEST_PAUSE_S


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or this time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def until_stopped(stop: asyncio.Event, *loops: Awaitable[None]) -> None:
    """Run these until `stop` is set, then cancel whatever still waits. An error in one ends them all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_as_coroutine(loop)) for loop in loops]
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _as_coroutine(loop: Awaitable[None]) -> None:
    await loop
