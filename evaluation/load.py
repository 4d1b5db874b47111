"""Submitting under load: 100 requests a second beside polls and 300 open event streams, and what a bare INSERT takes.

    python -m evaluation.load [--quick]

A stack with scripted engines, and beside it a FastAPI app that does one INSERT into the same Postgres. Both are sent
the same bodies at the same pace by the same sender, in turn, slice by slice, while polls, streams and searches go on:
so both see the same machine. `submit_p50_ratio` is ours ÷ bare, from the sending to the whole answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from evaluation.loading.traffic import JOBS, LONG, SHORT, Streams, Timed, paced, polls
from evaluation.loading.wire import Wire
from evaluation.overhead import kind_of
from evaluation.report import finish, say
from evaluation.stack import RunningStack, running_stack

SCRIPTED = "scripted:accuracy=0.7,tokens=40,delay_ms=500"
SETTINGS = {
    "DELIBERATE_POLICY": SCRIPTED,
    "DELIBERATE_VERIFIER": "none",
    "DELIBERATE_POLICY_REPLICAS": "1",
    "DELIBERATE_LOG_LEVEL": "warning",
}
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float = 60.0
    """Of submissions to ours; the bare app gets as much."""
    slice_s: float = 5.0
    rate: float = 100.0
    polls: float = 50.0
    """A second."""
    streams: int = 300
    long_jobs: int = 10


QUICK = Plan(seconds=10.0, slice_s=2.5)


async def measure(plan: Plan, ours: Wire, bare: Wire, stack: RunningStack | None) -> dict[str, Any]:
    """Everything against two running servers."""
    submits, bares, polled, streams = Timed(), Timed(), Timed(), Streams()
    made: deque[str] = deque(maxlen=500)
    before = memory(stack)
    await paced(ours, JOBS, SHORT, plan.rate / 4, WARM_UP_S, Timed())
    await paced(bare, "/jobs", SHORT, plan.rate / 4, WARM_UP_S, Timed())
    async with _beside(plan, ours, made, polled, streams):
        others = OtherWork()
        for number in range(max(1, round(plan.seconds / plan.slice_s))):
            done, bare_done = len(submits.ms), len(bares.ms)
            await paced(ours, JOBS, SHORT, plan.rate, plan.slice_s, submits, made)
            await paced(bare, "/jobs", SHORT, plan.rate, plan.slice_s, bares)
            p50, bare_p50 = quantile(submits.ms[done:], 0.5), quantile(bares.ms[bare_done:], 0.5)
            say(f"slice {number + 1}: p50 {p50:.1f} ms, bare {bare_p50:.1f} ms, {streams.events} events on the streams")
        after, others_cores = memory(stack), others.cores()
    result = result_of(plan, submits, bares, polled, streams)
    return result | {"others_cores": others_cores, "memory_mb": _changes(before, after)}


@contextlib.asynccontextmanager
async def _beside(plan: Plan, wire: Wire, made: deque[str], polled: Timed, streams: Streams) -> AsyncIterator[None]:
    jobs = [json.loads((await wire.request("POST", JOBS, LONG))[1])["id"] for _ in range(plan.long_jobs)]
    tasks = [asyncio.create_task(streams.follow(wire, jobs[n % len(jobs)])) for n in range(plan.streams)]
    await streams.all_open(plan.streams)
    tasks.append(asyncio.create_task(polls(wire, made, plan.polls, polled)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in jobs:
            await wire.request("POST", f"{JOBS}/{job}/cancel")


def result_of(plan: Plan, submits: Timed, bares: Timed, polled: Timed, streams: Streams) -> dict[str, Any]:
    """The numbers. Requests that failed have no time, but are errors."""
    refused = +submits.failures + +bares.failures + +polled.failures + +streams.broken
    p50, bare_p50 = quantile(submits.ms, 0.5), quantile(bares.ms, 0.5)
    return {
        "submit_p50_ratio": round(p50 / bare_p50, 2) if bare_p50 else None,
        "submit_p50_ms": round(p50, 2),
        "submit_p99_ms": round(quantile(submits.ms, 0.99), 2),
        "bare_p50_ms": round(bare_p50, 2),
        "bare_p99_ms": round(quantile(bares.ms, 0.99), 2),
        "errors": sum(refused.values()),
        "error_kinds": dict(refused),
        "submitted": len(submits.ms),
        "rate": plan.rate,
        "seconds": plan.seconds,
        "polls_per_s": plan.polls,
        "streams": streams.opened,
        "stream_events": streams.events,
        "sender_late_p99_ms": round(quantile(submits.late_ms, 0.99), 2),
        "cores": os.cpu_count(),
    }


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class OtherWork:
    """What the machine does beside this measurement: more than a little, and the times say little."""

    def __init__(self) -> None:
        self._started, self._before = time.monotonic(), self._busy()

    def cores(self) -> float:
        """Used by others since the beginning, on average."""
        return round((self._busy() - self._before) / (time.monotonic() - self._started), 2)

    def _busy(self) -> float:
        """CPU seconds of the machine less those of this process and of all that it has started."""
        used = psutil.cpu_times()
        me = psutil.Process()
        spent = sum(map(_cpu_s, [me, *me.children(recursive=True)]))
        return float(used.user + used.nice + used.system - spent)


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def memory(stack: RunningStack | None) -> Counter[str]:
    """Resident memory in bytes by kind of process; shared pages count in each of them."""
    used: Counter[str] = Counter()
    for process in [] if stack is None else [stack.process, *stack.process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            used[kind_of(process.cmdline())] += process.memory_info().rss
    return used


def _changes(before: Counter[str], after: Counter[str]) -> dict[str, list[float]]:
    return {name: [round(before[name] / 1e6, 1), round(after[name] / 1e6, 1)] for name in sorted(after)}


@contextlib.contextmanager
def bare_server(stack: RunningStack) -> Iterator[int]:
    """The bare app beside the stack, on the stack's own Postgres; its port."""
    port = _free_port()
    env = os.environ | {"DELIBERATE_DATABASE_URL": _database_url(stack)}
    process = subprocess.Popen([sys.executable, "-m", "evaluation.loading.bare", str(port)], env=env)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _database_url(stack: RunningStack) -> str:
    for process in stack.process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if kind_of(process.cmdline()) == "api":
                return process.environ()["DELIBERATE_DATABASE_URL"]
    raise SystemExit("the stack has no API process")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _wait_for(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def against(stack: RunningStack, bare_port: int, plan: Plan) -> dict[str, Any]:
    await _wait_for(bare_port)
    ours = Wire("127.0.0.1", int(stack.url.rsplit(":", 1)[1]), {"Authorization": f"Bearer {stack.api_key}"})
    bare = Wire("127.0.0.1", bare_port, {})
    try:
        return await measure(plan, ours, bare, stack)
    finally:
        await ours.close()
        await bare.close()


def table(result: dict[str, Any]) -> str:
    memory_rows = [f"| {name} | {was} | {now} |" for name, (was, now) in result["memory_mb"].items()]
    lines = [
        f"{result['rate']:g} submissions a second for {result['seconds']:g} s, {result['polls_per_s']:g} polls/s, "
        f"{result['streams']} open event streams ({result['stream_events']} events), {result['cores']} cores.",
        "",
        "| | p50 ms | p99 ms |",
        "|---|---|---|",
        f"| submit | {result['submit_p50_ms']} | {result['submit_p99_ms']} |",
        f"| bare FastAPI + one INSERT | {result['bare_p50_ms']} | {result['bare_p99_ms']} |",
        "",
        f"p50 ratio **{result['submit_p50_ratio']}**, errors **{result['errors']}** {result['error_kinds'] or ''};"
        f" the sender itself was late by {result['sender_late_p99_ms']} ms (p99), and other programs of the machine"
        f" used {result['others_cores']} cores meanwhile.",
        "",
        "| process | MB before | MB after |",
        "|---|---|---|",
        *memory_rows,
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run, nothing written to docs/results")
    arguments = parser.parse_args()
    with running_stack(SETTINGS) as stack, bare_server(stack) as port:
        result = asyncio.run(against(stack, port, QUICK if arguments.quick else Plan()))
    finish("load", "python -m evaluation.load", result, table(result), full=not arguments.quick)


if __name__ == "__main__":
    main()
