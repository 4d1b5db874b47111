"""The doorbell against a real Redis: it reaches the queue, many ids make few messages, and it never blocks for long."""

import base64
import json
import time
from collections.abc import AsyncIterator

import pytest

from domain.errors import Unavailable
from messaging.celery_app import CONTROL_QUEUE, DELIVER, ORCHESTRATOR_QUEUE, RING
from messaging.doorbell import BOUND_S, IDS_PER_MESSAGE, Doorbell
from tests.support.redis import TestRedis

pytestmark = pytest.mark.integration


@pytest.fixture
async def doorbell(redis_server: TestRedis) -> AsyncIterator[Doorbell]:
    one = Doorbell(redis_server.url)
    yield one
    await one.close()


def length(server: TestRedis, queue: str) -> int:
    return int(server.command("LLEN", queue).strip().removeprefix(b":"))


def newest(server: TestRedis, queue: str) -> tuple[str, list[object]]:
    """Task and arguments of the message that was put in last."""
    reply = server.command("LINDEX", queue, "0")
    message = json.loads(reply.split(b"\r\n", 1)[1])
    arguments, _, _ = json.loads(base64.b64decode(message["body"]))
    return message["headers"]["task"], arguments


async def test_ids_travel_together_and_once(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.ring(["job_a", "job_b", "job_a"])
    assert length(redis_server, ORCHESTRATOR_QUEUE) == 1
    assert newest(redis_server, ORCHESTRATOR_QUEUE) == (RING, [["job_a", "job_b"]])


async def test_many_ids_make_few_messages(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.ring(f"job_{number}" for number in range(2 * IDS_PER_MESSAGE + 1))
    assert length(redis_server, ORCHESTRATOR_QUEUE) == 3


async def test_no_ids_no_message(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.ring([])
    assert length(redis_server, ORCHESTRATOR_QUEUE) == 0


async def test_deliveries_go_to_control(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.deliver()
    assert newest(redis_server, CONTROL_QUEUE) == (DELIVER, [])


async def test_bells_that_nobody_hears_do_not_fill_redis(
    doorbell: Doorbell, redis_server: TestRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.doorbell.MOST_WAITING", 3)
    for number in range(10):
        await doorbell.ring([f"job_{number}"])
    assert length(redis_server, ORCHESTRATOR_QUEUE) == 3


async def test_it_rings_after_a_flush(doorbell: Doorbell, redis_server: TestRedis) -> None:
    """With a named exchange kombu would look its bindings up in Redis, find none, and drop the message."""
    await doorbell.ring(["job_a"])
    redis_server.command("FLUSHALL")
    await doorbell.ring(["job_b"])
    assert newest(redis_server, ORCHESTRATOR_QUEUE) == (RING, [["job_b"]])


async def test_it_rings_again_after_a_restart(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.ring(["job_a"])
    redis_server.stop()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await doorbell.ring(["job_b"])
    assert time.monotonic() - started < BOUND_S + 0.5
    redis_server.start()
    await rings_within(doorbell, 5.0)
    assert length(redis_server, ORCHESTRATOR_QUEUE) >= 1


async def test_a_frozen_redis_costs_a_bounded_time(doorbell: Doorbell, redis_server: TestRedis) -> None:
    await doorbell.ring(["job_a"])
    redis_server.freeze()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await doorbell.ring(["job_b"])
        assert time.monotonic() - started < BOUND_S + 0.5
    redis_server.thaw()
    await rings_within(doorbell, 5.0)


async def rings_within(doorbell: Doorbell, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await doorbell.ring(["job_c"])
        except Unavailable:
            assert time.monotonic() < deadline
