"""One asyncio loop in a daemon thread, beside a Celery worker that owns the main thread.

Celery has no asyncio pool; its tasks only wake what runs here. The loop's main coroutine gets an event that is set when
the process is to stop, and is cancelled when it has not ended some seconds after that.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from messaging.outage import describe

logger = logging.getLogger("deliberate.workers")

Main = Callable[[asyncio.Event], Awaitable[None]]


class LoopThread:
    def __init__(self, main: Main, name: str, on_crash: Callable[[], None] | None = None) -> None:
        """`on_crash` is called (in the thread) when `main` raises: a worker without its loop must not stay."""
        self._main = main
        self._on_crash = on_crash
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def call(self, function: Callable[[], object]) -> None:
        """Run `function` on the loop soon; from any thread, also from a signal handler. Nothing after the end."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            logger.debug("the loop has ended already")

    def ask_to_stop(self) -> None:
        if self._stop is not None:
            self.call(self._stop.set)

    def join(self, patience_s: float) -> bool:
        """Wait for the end; after `patience_s` cancel. Whether it has ended."""
        self._thread.join(patience_s)
        if self._thread.is_alive() and self._task is not None:
            self.call(self._task.cancel)
            self._thread.join(1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._supervise())
        except asyncio.CancelledError:
            logger.warning("%s: the loop did not end by itself and was cancelled", self._thread.name)
        except Exception as error:
            logger.error("%s: the loop failed: %s", self._thread.name, describe(error))
            if self._on_crash is not None:
                self._on_crash()
        finally:
            self._ready.set()

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._task = asyncio.current_task()
        self._ready.set()
        await self._main(self._stop)
