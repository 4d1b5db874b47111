"""Keeps children running: starts them, waits until they are ready, restarts those that die, and ends them in order.

Law: when `stop` has returned, no process of any child's session is left, whatever it started and however it behaved.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cli.stack import sessions
from cli.stack.child import CONFIGURATION_EXIT, Child, launch_command
from cli.stack.logs import last_line, log_path, open_log
from cli.stack.sessions import Seen
from domain.errors import ConfigurationError

SCAN_S = 1.0
STEADY_S = 30.0
"""A child that ran this long has its next crash counted as the first."""
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
START_ATTEMPTS = 4
"""Crashes of a child that was never ready before the stack's start is given up."""


class Moment(StrEnum):
    """What happens to a child."""

    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line for the console."""

    moment: Moment
    child: str
    seconds: float = 0.0
    """READY and STOPPED: how long it took."""
    note: str = ""


@dataclass
class _Running:
    child: Child
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    restarts: int = 0
    """Processes started after the first."""
    crashes: int = 0
    """In a row."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Future[None] | None = None
    task: asyncio.Task[None] | None = None
    stopping: bool = False
    seen: dict[int, Seen] = field(default_factory=dict)
    """Members of its session, as last recorded."""


class Supervisor:
    def __init__(
        self,
        env: Mapping[str, str],
        logs: Path,
        tell: Callable[[Happening], None],
        record: Callable[[Sequence[Seen]], None],
    ) -> None:
        self._env = dict(env)
        self._logs = logs
        self._tell = tell
        self._record = record
        self._running: dict[str, _Running] = {}
        self._scanner: asyncio.Task[None] | None = None

    async def start(self, child: Child) -> None:
        """Returns when the child is ready. Raises ConfigurationError, with the last line of its log."""
        running = _Running(child)
        running.failed = asyncio.get_running_loop().create_future()
        self._running[child.name] = running
        if self._scanner is None:
            self._scanner = asyncio.create_task(self._scan(), name="scan")
        began = time.monotonic()
        self._tell(Happening(Moment.STARTING, child.name))
        running.task = asyncio.create_task(self._keep(running), name=child.name)
        await self._first_ready(running)
        self._tell(Happening(Moment.READY, child.name, time.monotonic() - began))

    async def stop(self, *names: str) -> None:
        """End these children, together. No-op for those that do not run."""
        await asyncio.gather(*(self._end(self._running[name]) for name in names if name in self._running))

    async def close(self) -> None:
        """After the last `stop`."""
        if self._scanner is not None:
            self._scanner.cancel()
            await asyncio.wait({self._scanner})

    def pid(self, name: str) -> int | None:
        """The pid of a child now; None while it is down."""
        running = self._running.get(name)
        return None if running is None or running.process is None else running.process.pid

    def pids(self) -> dict[str, int]:
        return {name: pid for name in self._running if (pid := self.pid(name)) is not None}

    def restarts(self, name: str) -> int:
        return self._running[name].restarts

    def is_ready(self, name: str) -> bool:
        return self._running[name].ready.is_set()

    # ------------------------------------------------------------------------------------- one child's life

    async def _keep(self, running: _Running) -> None:
        while not running.stopping:
            code = await self._live(running)
            if running.stopping:
                return
            self._sweep(running)
            running.ready.clear()
            if self._given_up(running, code):
                return
            self._end_dependants(running.child.name)
            await asyncio.sleep(BACKOFF_S[min(running.crashes, len(BACKOFF_S)) - 1])
            await self._needs_ready(running.child)
            running.restarts += 1

    async def _live(self, running: _Running) -> int | OSError:
        """One process from start to end; gives its exit code, or why it could not be started (a full disk)."""
        running.started = time.monotonic()
        try:
            await self._spawn(running)
        except OSError as error:
            return error
        return await self._watch(running)

    async def _spawn(self, running: _Running) -> None:
        child = running.child
        with open_log(self._logs, child.name) as log:
            running.process = await asyncio.create_subprocess_exec(
                *launch_command(child),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=child.cwd,
                env={**self._env, **child.env},
                # A session of its own: Ctrl-C reaches us alone, and everything it starts can be found again.
                start_new_session=True,
            )
        running.seen.clear()

    async def _watch(self, running: _Running) -> int:
        """Until the process ends; says when it is ready."""
        assert running.process is not None
        asking = asyncio.create_task(self._ask(running), name=f"{running.child.name} ready?")
        try:
            return await running.process.wait()
        finally:
            running.process = None
            asking.cancel()

    async def _ask(self, running: _Running) -> None:
        since = time.time()
        while not await running.child.ready(since):  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(running.child.ready_every_s)
        running.ready.set()
        if running.restarts:
            note = f"restarted ({running.restarts})"
            self._tell(Happening(Moment.READY, running.child.name, time.monotonic() - running.started, note))

    def _given_up(self, running: _Running, code: int | OSError) -> bool:
        """Tell the crash; or, at its first start, that there is no use in another attempt."""
        steady = time.monotonic() - running.started > STEADY_S
        running.crashes = 1 if steady else running.crashes + 1
        path = log_path(self._logs, running.child.name)
        how = _how(code)
        assert running.failed is not None
        if not running.failed.done() and (code == CONFIGURATION_EXIT or running.crashes >= START_ATTEMPTS):
            line = last_line(path) or how
            running.failed.set_exception(ConfigurationError(f"{running.child.name} can't start: {line} (log: {path})"))
            return True
        self._tell(Happening(Moment.CRASHED, running.child.name, note=f"{how}; log: {path}"))
        return False

    def _end_dependants(self, name: str) -> None:
        """They would notice by themselves, but only after a minute."""
        for running in self._running.values():
            process = running.process
            if name in running.child.needs and process is not None:
                sessions.send([process.pid], signal.SIGTERM)
                asyncio.get_running_loop().call_later(running.child.stop_within_s, _kill_if_running, process)

    async def _needs_ready(self, child: Child) -> None:
        await asyncio.gather(*(self._running[name].ready.wait() for name in child.needs if name in self._running))

    async def _first_ready(self, running: _Running) -> None:
        assert running.failed is not None
        assert running.task is not None
        child = running.child
        waiting = asyncio.create_task(running.ready.wait())
        ends: set[asyncio.Future[Any]] = {waiting, running.failed, running.task}
        try:
            done, _ = await asyncio.wait(ends, timeout=child.ready_within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if running.failed.done():
            running.failed.result()
        if running.task in done:
            running.task.result()
        if waiting not in done:
            path = log_path(self._logs, child.name)
            running.failed.cancel()
            raise ConfigurationError(f"{child.name} was not ready within {child.ready_within_s:g} s: see {path}")
        # From here on it is restarted for ever.
        running.failed.cancel()

    # ------------------------------------------------------------------------------------- ends and leftovers

    async def _end(self, running: _Running) -> None:
        began = time.monotonic()
        running.stopping = True
        process = running.process
        if process is not None:
            self._note_members(running, sessions.members(process.pid))
            sessions.send([process.pid], signal.Signals[running.child.stop_signal])
            if running.task is not None:
                await asyncio.wait({running.task}, timeout=running.child.stop_within_s)
            if running.process is not None:
                sessions.send(sessions.members(process.pid), signal.SIGKILL)
        if running.task is not None:
            if process is None:
                running.task.cancel()
            await asyncio.wait({running.task})
        self._sweep(running)
        del self._running[running.child.name]
        self._tell(Happening(Moment.STOPPED, running.child.name, time.monotonic() - began))

    def _sweep(self, running: _Running) -> None:
        """Kill what is left of a session whose leader has ended."""
        left = [seen for seen in running.seen.values() if sessions.is_same(seen)]
        # A recorded member that still lives keeps the session's number ours: its younger members are ours as well.
        for number in {sessions.session_of(seen.pid) for seen in left} - {None, os.getsid(0)}:
            sessions.send(sessions.members(number), signal.SIGKILL)

    async def _scan(self) -> None:
        while True:
            sizes = {r.process.pid: r for r in self._running.values() if r.process is not None}
            for session, pids in sessions.members_of(sizes).items():
                self._note_members(sizes[session], pids)
            self._record([seen for running in self._running.values() for seen in running.seen.values()])
            await asyncio.sleep(SCAN_S)

    def _note_members(self, running: _Running, pids: list[int]) -> None:
        leader = None if running.process is None else running.process.pid
        # The leader is looked at every time: its executable is the launcher's at first.
        known = {pid: seen for pid, seen in running.seen.items() if pid in pids and pid != leader}
        fresh = {pid: seen for pid in pids if pid not in known and (seen := sessions.look(pid)) is not None}
        running.seen = known | fresh


def _kill_if_running(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


def _how(end: int | OSError) -> str:
    if isinstance(end, OSError):
        return f"it could not be started ({end.strerror or end})"
    return f"killed by signal {-end}" if end < 0 else f"exit code {end}"
