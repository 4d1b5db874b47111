"""The load benchmark's own parts, against a server of the test: paced, counted, and honest about failures."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator

import pytest

from evaluation.fuzz import summary
from evaluation.fuzz import table as fuzz_table
from evaluation.load import Plan, quantile, result_of, table
from evaluation.loading.traffic import Streams, Timed, paced
from evaluation.loading.wire import Wire


class Stub:
    """Answers POST with 202 and an id (each fifth with 503), and GET with a stream of three events."""

    def __init__(self) -> None:
        self.requests = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-L")), 0)
                await reader.readexactly(size)
                writer.write(self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: str) -> bytes:
        self.requests += 1
        if head.startswith("GET"):
            part = b"id: 0\nevent: node.added\ndata: {}\n\n"
            chunk = b"%x\r\n\n%s\r\n" % (len(part) + 1, part)
            return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + 3 * chunk + b"0\r\n\r\n"
        status = b"503 Away" if self.requests % 5 == 0 else b"202 Accepted"
        body = json.dumps({"id": f"job_{self.requests}"}).encode()
        return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    one = Stub()
    server = await asyncio.start_server(one.handle, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()


async def test_submissions_are_paced_and_refusals_are_counted(stub: Stub) -> None:
    wire, into, made = Wire("127.0.0.1", stub.port, {"X": "y"}), Timed(), deque[str]()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await paced(wire, "/jobs", {"a": 1}, rate=100, seconds=0.2, into=into, made=made)
    assert 0.15 < loop.time() - began < 5
    assert (len(into.ms), into.failures["503"], len(made)) == (20, 4, 16)
    streams = Streams()
    await streams.follow(wire, "job_1")
    assert (streams.opened, streams.events, streams.broken) == (1, 3, Counter({"ended": 1}))
    await wire.close()


async def test_a_server_that_is_away_is_an_error(unused_tcp_port: int) -> None:
    into, streams = Timed(), Streams()
    wire = Wire("127.0.0.1", unused_tcp_port, {})
    await paced(wire, "/jobs", {}, rate=100, seconds=0.02, into=into)
    await streams.follow(wire, "job_1")
    assert (into.ms, into.failures.total(), streams.broken.total()) == ([], 2, 1)


def test_the_result_has_the_keys_that_are_asked_for() -> None:
    ours, bare, polled = (
        Timed([3.0] * 98 + [9.0, 30.0]),
        Timed([1.5] * 10),
        Timed(failures=Counter({"503": 2, "200": 0})),
    )
    result = result_of(Plan(), ours, bare, polled, Streams(opened=300))
    result |= {"memory_mb": {"api": [90.0, 95.5]}, "others_cores": 0.0}
    assert (result["submit_p50_ratio"], result["submit_p99_ms"], result["errors"]) == (2.0, 30.0, 2)
    assert "| api | 90.0 | 95.5 |" in table(result)
    assert quantile([], 0.5) == 0.0


def test_a_fuzz_report_is_summed_up() -> None:
    report = {
        "operations": {"total": 3, "tested": 2},
        "test_cases": {"generated": 40},
        "failures": [{"code": "ST1", "title": "a"}, {"code": "ST1", "title": "a"}],
        "errors": [],
        "stop_reason": "max_time",
        "seed": 1,
    }
    told = summary(report)
    assert (told["failures"], told["failed_checks"], told["left_out"]) == (2, {"ST1 a": 2}, 1)
    assert "| with key | 2 | 40 | 2" in fuzz_table(
        {"operations": 3, "server_errors": 0, "with_key": told, "without_key": told}
    )
