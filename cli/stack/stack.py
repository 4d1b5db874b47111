"""The whole service on one machine: embedded servers (or the external ones of the settings) and our processes.

Everything that can start at once does; the order is what each part needs, nothing else:

    postgres ─▶ bootstrap ─▶ api, control
    redis ─────────────────▶ control, orchestrator
    ray ──────▶ engines;  ray and bootstrap ─▶ orchestrator
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from cli.stack import home as homes
from cli.stack import services
from cli.stack.child import Child
from cli.stack.environment import child_environment
from cli.stack.home import API_KEY_FILE, LOCK_FILE, WEBHOOK_SECRET_FILE
from cli.stack.lock import HomeLock
from cli.stack.logs import last_line
from cli.stack.models import check_policy, check_verifier
from cli.stack.oneshot import run_to_end
from cli.stack.ports import require_free
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.ray_head import EmbeddedRay
from cli.stack.record import MARK, Record, StackInfo, clean_up, remove_runtime
from cli.stack.redis import EmbeddedRedis
from cli.stack.secrets import api_key, keep
from cli.stack.supervisor import Happening, Supervisor
from domain.errors import ConfigurationError
from domain.settings import Settings

STOP_ORDER = (
    ("api",),
    ("orchestrator",),
    ("control", "engines"),
    ("ray",),
    ("redis", "postgres"),
)
"""Intake first, then the searches (they give their jobs back), then what they need. At most 18.5 s together."""


class _Server(Protocol):
    async def prepare(self) -> None: ...
    def child(self) -> Child: ...


class Stack:
    """Use it as `await start()` … `await stop()` from one event loop; `stop` is also right after a failed `start`."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str] = os.environ,
        tell: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self._env = dict(env)
        self._tell = tell
        self._lock = HomeLock(settings.home / LOCK_FILE)
        self._record = Record(settings.home)
        self._run_id = secrets.token_hex(16)
        self._runtime: Path | None = None
        self._ray: EmbeddedRay | None = None
        self._flushing: asyncio.Task[None] | None = None
        self.supervisor: Supervisor | None = None
        self.url = ""
        """Base address of the API, once `start` has begun."""
        self.left_over = 0
        """Processes of a killed stack that this start ended."""

    async def start(self) -> None:
        """Returns when jobs are taken and worked on. Raises ConfigurationError with one line."""
        home = self.settings.home
        homes.open_home(home)
        self._lock.acquire()
        try:
            await self._start()
        except OSError as error:
            raise homes.unusable(home, error) from error

    async def stop(self) -> None:
        """Ends every process and removes lock, record and sockets. Idempotent."""
        if self._flushing is not None:
            self._flushing.cancel()
        if self.supervisor is not None:
            for names in STOP_ORDER:
                await self.supervisor.stop(*names)
            await self.supervisor.close()
        if self._ray is not None:
            self._ray.keep_logs()
        if self._runtime is not None:
            remove_runtime(str(self._runtime))
        if self._lock.held:
            self._record.clear()
            self._lock.release()

    @property
    def api_key(self) -> str:
        return (self.settings.home / API_KEY_FILE).read_text().strip()

    @property
    def webhook_secret(self) -> str:
        return (self.settings.home / WEBHOOK_SECRET_FILE).read_text().strip()

    @property
    def env(self) -> dict[str, str]:
        """The environment of every child: a program started with it sees the same database, Redis and Ray."""
        return dict(self._env)

    async def _start(self) -> None:
        settings = self.settings
        if settings.ray_address is None:
            # On another Ray the folders may exist only there.
            check_policy(settings)
            check_verifier(settings)
        self.left_over = len(await asyncio.to_thread(clean_up, settings.home))
        port = require_free(settings.host, settings.port)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{host}:{port}"
        self._runtime = homes.make_runtime()
        postgres = None if settings.database_url else EmbeddedPostgres(settings.home, self._runtime)
        redis = None if settings.redis_url else EmbeddedRedis(settings.home)
        self._ray = None if settings.ray_address else EmbeddedRay(settings.home, self._runtime)
        keep(settings.home / API_KEY_FILE, api_key)
        complete = replace(
            settings,
            port=port,
            database_url=postgres.url if postgres else settings.database_url,
            redis_url=redis.url if redis else settings.redis_url,
            ray_address=self._ray.address if self._ray else settings.ray_address,
        )
        self._env = child_environment(complete, self._env) | {MARK: self._run_id, "PYTHONUNBUFFERED": "1"}
        self._env |= self._ray.env if self._ray else {}
        self._record.write(StackInfo(self._run_id, os.getpid(), self.url, str(self._runtime), complete.ray_address))
        self.supervisor = Supervisor(self._env, settings.home / "logs", self._tell, self._record.write_processes)
        await self._start_parts(self.supervisor, postgres, redis, self._ray, port)

    async def _start_parts(
        self,
        supervisor: Supervisor,
        postgres: EmbeddedPostgres | None,
        redis: _Server | None,
        ray: _Server | None,
        port: int,
    ) -> None:
        home = self.settings.home

        async def server(part: _Server | None) -> None:
            if part is not None:
                await part.prepare()
                await supervisor.start(part.child())

        async def database() -> None:
            await server(postgres)
            await self._bootstrap()

        async def process(child: Child, *needs: asyncio.Future[None]) -> None:
            await asyncio.gather(*needs)
            await supervisor.start(child)

        with_database, with_redis, with_ray = map(asyncio.ensure_future, (database(), server(redis), server(ray)))
        api = services.api(self.settings.host, port, self.url)
        await _all_or_first_error(
            with_database,
            with_redis,
            with_ray,
            process(services.engines(home, self.url), with_ray),
            process(api, with_database),
            process(services.control(home), with_database, with_redis),
            process(services.orchestrator(home), with_database, with_redis, with_ray),
        )
        if postgres is not None:
            self._flushing = asyncio.create_task(postgres.flush(), name="flush")

    async def _bootstrap(self) -> None:
        child = Child("bootstrap", (sys.executable, "-m", "cli.stack.bootstrap"))
        code, log = await run_to_end(child, self._env, self.settings.home / "logs")
        if code != 0:
            raise ConfigurationError(f"the database can't be prepared: {last_line(log)} (log: {log})")


async def _all_or_first_error(*parts: Awaitable[None]) -> None:
    running = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*running)
    except BaseException:
        for part in running:
            part.cancel()
        await asyncio.wait(running)
        raise
