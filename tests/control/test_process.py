"""The real control process: `python -m workers.control` beside a real Postgres, Redis and receiver."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from messaging.celery_app import ORCHESTRATOR_QUEUE
from storage.database import Database
from storage.gauges import outbox_depth
from storage.jobs import Jobs
from storage.keys import Keys
from storage.tenant_secret import TenantSecret
from tests.support.jobs import new_job
from tests.support.receiver import Receiver
from tests.support.redis import TestRedis
from workers.heartbeat import Heartbeat

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    home: Path
    env: dict[str, str]
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "workers.control"]
            self.running = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)

    @property
    def log(self) -> Path:
        return self.home / "control.log"

    async def beating(self) -> None:
        async with asyncio.timeout(30):
            while Heartbeat(self.home, "control").age_s() is None:
                assert self.running is not None
                assert self.running.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)

    def stop(self, within_s: float = 10.0) -> tuple[int, float]:
        """Exit code after SIGTERM, and how long it took."""
        assert self.running is not None
        started = time.monotonic()
        self.running.send_signal(signal.SIGTERM)
        code = self.running.wait(within_s)
        self.running = None
        return code, time.monotonic() - started


@pytest.fixture
def control(tmp_path: Path, database_url: str, redis_server: TestRedis) -> Iterator[Process]:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "DELIBERATE_HOME": str(tmp_path),
        "DELIBERATE_DATABASE_URL": database_url,
        "DELIBERATE_REDIS_URL": redis_server.url,
        "DELIBERATE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    process = Process(tmp_path, env)
    yield process
    if process.running is not None:
        process.running.kill()
        process.running.wait()


async def cancelled_job(database: Database, receiver: Receiver) -> None:
    """A job with a webhook that ends at once: an outbox row and a delivery."""
    tenant = await Keys(database).ensure_tenant()
    job = new_job(tenant, webhook_url=receiver.url)
    await Jobs(database).submit(job)
    await Jobs(database).cancel(tenant, job.id)


async def relayed(database: Database, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while await outbox_depth(database):
            await asyncio.sleep(0.02)


async def logged(control: Process, text: str, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while text not in control.log.read_text():
            await asyncio.sleep(0.05)


async def test_it_lives_through_flush_restart_and_absence_of_redis(
    control: Process, database: Database, receiver: Receiver, redis_server: TestRedis
) -> None:
    control.start()
    await control.beating()
    await cancelled_job(database, receiver)
    await receiver.count(1)
    await relayed(database, 5)
    redis_server.command("FLUSHALL")
    await cancelled_job(database, receiver)
    await receiver.count(2)
    await relayed(database, 5)
    assert int(redis_server.command("LLEN", ORCHESTRATOR_QUEUE).strip()[1:]) >= 1
    redis_server.stop()
    await cancelled_job(database, receiver)
    await receiver.count(3), "webhooks need no Redis"
    await logged(control, "relay of the outbox: not working", 10)
    redis_server.start()
    await relayed(database, 10)
    # Said after the commit that empties the outbox: a stop may come between the two.
    await logged(control, "relay of the outbox: working again", 10)
    await consumed(redis_server, 15)
    secret = await TenantSecret(database).read(await Keys(database).ensure_tenant())
    code, took_s = control.stop()
    log = control.log.read_text()
    for canary in ("What is 6", secret, receiver.url, "postgresql://"):
        assert canary not in log
    assert code == 0
    assert took_s < 8
    assert Heartbeat(control.home, "control").age_s() is None


async def consumed(redis_server: TestRedis, within_s: float) -> None:
    """The worker takes messages again after the restart: its own queue becomes empty."""
    async with asyncio.timeout(within_s):
        while redis_server.command("LLEN", "deliberate.control").strip() != b":0":
            await asyncio.sleep(0.1)


async def test_it_starts_and_stops_without_redis(
    control: Process, database: Database, receiver: Receiver, redis_server: TestRedis
) -> None:
    redis_server.stop()
    control.start()
    await control.beating()
    await cancelled_job(database, receiver)
    await receiver.count(1)
    _, took_s = control.stop()
    assert took_s < 8


async def test_a_missing_setting_is_one_line_and_code_2(control: Process) -> None:
    del control.env["DELIBERATE_DATABASE_URL"]
    control.start()
    assert control.running is not None
    assert await asyncio.to_thread(control.running.wait, 30) == 2
    assert control.log.read_text().startswith("DELIBERATE_DATABASE_URL is not set")
    assert "Traceback" not in control.log.read_text()
