"""A stack in a thread of its own, for callers without an event loop: `deliberate demo` and tests.

with BackgroundStack(settings) as stack:
    httpx.get(f"{stack.url}/readyz")
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

from cli.stack.services import readiness
from cli.stack.stack import Stack
from cli.stack.supervisor import Happening, Supervisor
from domain.errors import ConfigurationError
from domain.settings import Settings

START_WITHIN_S = 3600.0
END_WITHIN_S = 30.0


class BackgroundStack:
    """The loop's thread lives as long as the stack: the kernel ends the children of a thread that ends."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str] = os.environ,
        tell: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        self._stack = Stack(settings, env, tell)
        self._loop = asyncio.new_event_loop()
        self._beginning: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="stack", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Raises ConfigurationError; nothing is left running then."""
        self._thread.start()
        try:
            self._run(self._begin(), START_WITHIN_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Idempotent. A KeyboardInterrupt waits until the end: half an end would leave processes behind."""
        if not self._thread.is_alive():
            return
        ending, interrupted = asyncio.run_coroutine_threadsafe(self._end(), self._loop), False
        while not ending.done():
            try:
                ending.exception(END_WITHIN_S)
            except KeyboardInterrupt:
                interrupted = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        ending.result()
        if interrupted:
            raise KeyboardInterrupt

    async def _begin(self) -> None:
        self._beginning = asyncio.current_task()
        await self._stack.start()

    async def _end(self) -> None:
        if self._beginning is not None and not self._beginning.done():
            # Whoever waited for the start was interrupted.
            self._beginning.cancel()
            await asyncio.wait({self._beginning})
        await self._stack.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def url(self) -> str:
        return self._stack.url

    @property
    def api_key(self) -> str:
        return self._stack.api_key

    @property
    def webhook_secret(self) -> str:
        return self._stack.webhook_secret

    @property
    def settings(self) -> Settings:
        return self._stack.settings

    @property
    def env(self) -> dict[str, str]:
        """The environment of the stack's processes (database, Redis, Ray and its token)."""
        return self._stack.env

    def pid(self, name: str) -> int | None:
        """Of the process of this part now; None while it is down. Parts: api, control, orchestrator, engines, …"""
        return self._supervisor.pid(name)

    def restarts(self, name: str) -> int:
        return self._supervisor.restarts(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to the part's process; gives its pid. Raises ConfigurationError when it is down."""
        pid = self.pid(name)
        if pid is None:
            raise ConfigurationError(f"{name} does not run")
        os.kill(pid, number)
        return pid

    def wait_restarted(self, name: str, before: int, within_s: float = 60.0) -> None:
        """Until the part has been restarted more than `before` times and is ready. Raises TimeoutError."""
        self._wait(lambda: self.restarts(name) > before and self._supervisor.is_ready(name), within_s, name)

    def wait_ready(self, within_s: float = 60.0) -> None:
        """Until `/readyz` misses nothing: engines are loaded and jobs are worked on. Raises TimeoutError."""
        self._wait(lambda: (readiness(self.url) or {}).get("status") == "ready", within_s, "the stack")

    @property
    def _supervisor(self) -> Supervisor:
        if self._stack.supervisor is None:
            raise ConfigurationError("the stack is not started")
        return self._stack.supervisor

    def _run(self, work: Coroutine[Any, Any, None], within_s: float) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    @staticmethod
    def _wait(condition: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} was not ready within {within_s:g} s")
            time.sleep(0.05)
