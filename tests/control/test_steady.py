"""Loops that outlive what they need."""

import asyncio
import logging

import pytest

from domain.errors import Unavailable
from workers import steady
from workers.loop import LoopThread
from workers.steady import pause, steadily, until_stopped


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "SHORTEST_PAUSE_S", 0.01)


async def test_failures_are_said_once_and_so_is_the_recovery(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    failures = [Unavailable("the part is away"), Unavailable("still away"), ValueError("a secret text")]

    async def step() -> None:
        if failures:
            raise failures.pop(0)
        stop.set()

    with caplog.at_level(logging.INFO, "deliberate.workers"):
        await asyncio.wait_for(steadily("the part", step, stop), 5)
    away, back = (record.message for record in caplog.records)
    assert away == "the part: not working (the part is away); trying again until it does"
    assert back.startswith("the part: working again after")


async def test_texts_of_unexpected_errors_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()

    async def step() -> None:
        stop.set()
        raise ValueError("a secret text")

    await asyncio.wait_for(steadily("the part", step, stop), 5)
    assert "ValueError at test_steady.py" in caplog.text
    assert "secret" not in caplog.text


async def test_stopping_ends_waiting_loops_at_once() -> None:
    stop = asyncio.Event()

    async def step() -> None:
        await pause(asyncio.Event(), 60)

    loops = asyncio.create_task(until_stopped(stop, steadily("a", step, stop), steadily("b", step, stop)))
    await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(loops, 1)


def test_a_loop_thread_runs_calls_and_stops() -> None:
    seen: list[str] = []

    async def main(stop: asyncio.Event) -> None:
        seen.append("started")
        await stop.wait()
        seen.append("stopped")

    thread = LoopThread(main, "test")
    thread.start()
    thread.call(lambda: seen.append("called"))
    thread.ask_to_stop()
    assert thread.join(5)
    assert seen == ["started", "called", "stopped"]
    thread.call(lambda: seen.append("too late"))
    assert len(seen) == 3


def test_a_loop_that_does_not_stop_is_cancelled() -> None:
    async def main(stop: asyncio.Event) -> None:
        await asyncio.sleep(60)

    thread = LoopThread(main, "test")
    thread.start()
    assert thread.join(0.1)


def test_a_crash_is_told(caplog: pytest.LogCaptureFixture) -> None:
    crashes: list[str] = []

    async def main(stop: asyncio.Event) -> None:
        raise RuntimeError("a secret text")

    thread = LoopThread(main, "test", on_crash=lambda: crashes.append("crash"))
    thread.start()
    assert thread.join(5)
    assert crashes == ["crash"]
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text
