"""The API on a loopback socket with an orchestrator beside it in one thread: real Postgres and Redis, scripted engines,
no Celery and no Ray. For clients that bring their own HTTP, at the price of a few threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from domain.settings import Settings
from inference.local import LocalPolicy, LocalVerifier
from messaging.progress import RedisProgress
from orchestrator.engines import Engines
from orchestrator.host import Host
from storage.database import Database
from storage.leases import PostgresJobStore
from storage.outbox import Outbox, OutboxRow
from tests.support.ports import free_port

START_S = 30.0


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The server's URL; its engines are those of the settings."""
    port = free_port()
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    ending = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, settings, ending)), name="served")
    thread.start()
    try:
        deadline = time.monotonic() + START_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        ending.set()
        thread.join(START_S)


async def _serve(server: uvicorn.Server, settings: Settings, ending: threading.Event) -> None:
    assert settings.database_url is not None
    assert settings.redis_url is not None
    database, progress = Database.open(settings.database_url), RedisProgress(settings.redis_url)
    policy, verifier = LocalPolicy.open(settings.policy), LocalVerifier.open(settings.verifier)
    host = Host(
        PostgresJobStore(database), progress, Engines(policy, verifier), worker="served", max_jobs=64, lease_s=30
    )
    serving = [asyncio.create_task(one) for one in (server.serve(), host.serve(), _relay(database, host, ending))]
    await serving[2]
    host.drain()
    server.should_exit = True
    await asyncio.gather(*serving[:2])
    policy.close()
    verifier.close()
    await progress.close()
    await database.close()


async def _relay(database: Database, host: Host, ending: threading.Event) -> None:
    """What control and Celery do: ring for what the outbox holds."""

    async def ring(rows: Sequence[OutboxRow]) -> None:
        host.ring([row.key for row in rows])

    outbox = Outbox(database)
    while not ending.is_set():
        await outbox.relay(ring)
        await outbox.wait(0.2)
