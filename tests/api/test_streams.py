"""A job's live stream: what it says, where it resumes, and that many of them cost one query."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.routes import streams
from api.routes.streams import parse_position
from api.services import Services
from api.telling import Teller
from domain.budget import NO_COST, Budget
from domain.errors import InvalidRequest
from domain.events import Event, JobClaimed, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.ids import JobId
from domain.job import JobStatus
from domain.moves import Answer, FinishReason, Sampled, Scored
from domain.ports import Finish, JobWrite
from domain.problem import text_problem
from domain.specs.parallel import BestOfN
from domain.specs.tree import Beam
from domain.verdict import StopReason
from messaging.progress import RedisProgress
from search.replay import Search, begin, issued, step
from storage.database import Database
from storage.leases import PostgresJobStore
from storage.traces import StoredEvent
from tests.support.jobs import VERDICT
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"


def parsed(text: str) -> list[dict[str, Any]]:
    """The events of a stream's text: their data, with `id` and `event`."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append(json.loads(fields["data"]) | {"id": fields["id"], "event": fields["event"]})
    return found


class Job:
    """A submitted job that a test plays the orchestrator of."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.client, self.store = client, PostgresJobStore(database)
        self.id, self.seq = "", 1
        self.fence = 0
        self.search: Search

    async def submit(self, **members: Any) -> Job:
        body = {"problem": "What is 6 · 7?", "strategy": {"name": "best_of_n", "n": 2}, **members}
        response = await self.client.post(JOBS, json=body)
        assert response.status_code == 202, response.text
        self.id = response.json()["id"]
        (claim,) = await self.store.claim("worker", 1, 60)
        assert claim.job == self.id
        self.fence, first = claim.fence, claim.events[0]
        assert isinstance(first, JobSubmitted)
        self.search = begin(first)
        return self

    async def write(self, *events: Event, finish: Finish | None = None) -> None:
        lost = await self.store.commit([JobWrite(JobId(self.id), self.fence, self.seq, events, (), NO_COST, finish)])
        assert not lost
        self.seq += len(events)

    async def claim(self) -> None:
        await self.write(JobClaimed("worker", self.fence, "policy", None))

    async def ask(self, limit: int = 32) -> list[str]:
        self.search, moves = self.search.ask(limit)
        await self.write(MovesIssued(limit, tuple(map(issued, moves))))
        return [move.id for move in moves]

    async def settle(self, outcome: Sampled | Scored) -> None:
        event = MoveSettled(f"{self.id}/{outcome.move_id}", outcome)
        self.search = step(self.search, event)
        await self.write(event)

    async def stop(self) -> None:
        last = JobStopped(JobStatus.COMPLETED, StopReason.COMPLETE, VERDICT, NO_COST)
        await self.write(last, finish=Finish(JobStatus.COMPLETED, StopReason.COMPLETE, VERDICT, None))

    async def whole(self) -> Job:
        """A search of two solutions, from its claim to its end."""
        await self.submit()
        await self.claim()
        for move in await self.ask():
            await self.settle(solution(move))
        for move in await self.ask():
            await self.settle(Scored(move, (0.5, 0.9), NO_COST))
        await self.stop()
        return self

    async def events(self, **headers: str) -> httpx.Response:
        return await self.client.get(f"{JOBS}/{self.id}/events", headers=headers)


def solution(move: str, answer: str = "42") -> Sampled:
    return Sampled(move, f"{move}: 6 · 7\n\n\\boxed{{42}}", FinishReason.END, Answer(answer, answer), -1.0, NO_COST)


@pytest.fixture
def job(client: httpx.AsyncClient, database: Database) -> Job:
    return Job(client, database)


async def test_an_ended_job_is_told_from_its_start_to_its_stop(job: Job) -> None:
    response = await (await job.whole()).events()
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    told = parsed(response.text)
    assert [one["event"] for one in told if one["event"] != "verdict"] == [
        "job.queued",
        "job.started",
        *["node.added"] * 2,
        *["node.sampled"] * 2,
        *["node.scored"] * 2,
        "job.stopped",
    ]
    assert all(one["type"] == one["event"] and one["job_id"] == job.id for one in told)
    sampled = [one for one in told if one["event"] == "node.sampled"]
    assert [(one["node"], one["answer"]) for one in sampled] == [(1, "42"), (2, "42")]
    first_sampled = told.index(sampled[0])
    verdict = told[first_sampled + 1]
    assert verdict["event"] == "verdict"
    assert verdict["answer"] == "42"
    assert (told[-1]["status"], told[-1]["answer"], told[-1]["confidence_kind"]) == ("completed", "42", "agreement")


async def test_a_stream_resumes_at_every_place_without_loss_or_double(job: Job) -> None:
    whole = parsed((await (await job.whole()).events()).text)
    ids = [one["id"] for one in whole]
    assert len(set(ids)) == len(ids)
    assert parsed((await job.events(**{"Last-Event-ID": "-1"})).text) == whole
    for place, id in enumerate(ids[:-1]):
        assert parsed((await job.events(**{"Last-Event-ID": id})).text) == whole[place + 1 :], id
    after_event_2 = [one for one in whole if one["seq"] > 2]
    assert parsed((await job.events(**{"Last-Event-ID": "2"})).text) == after_event_2
    by_query = await job.client.get(f"{JOBS}/{job.id}/events", params={"last_event_id": "2"})
    assert parsed(by_query.text) == after_event_2


async def test_after_the_last_event_a_browser_is_told_to_stop(job: Job) -> None:
    last = parsed((await (await job.whole()).events()).text)[-1]["id"]
    for seen in (last, last.split(".")[0], "4000"):
        assert (await job.events(**{"Last-Event-ID": seen})).status_code == 204


@pytest.mark.parametrize("text", ["x", "1.", ".1", "-2", "1.2.3", "99999999999", "٣"])
async def test_an_id_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_position(text)


async def test_anothers_stream_looks_like_none(job: Job, stranger: httpx.AsyncClient) -> None:
    await job.submit()
    for path in ("events", "trace.jsonl"):
        check_problem(await stranger.get(f"{JOBS}/{job.id}/{path}"), 404)


@contextlib.asynccontextmanager
async def following(
    services: Services, job: Job, position: str | None = None
) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """The events of a stream as they come (ASGI test transports only show ended ones)."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    tenant = await services.keys.ensure_tenant()

    async def read() -> None:
        async for part in streams._events(services, tenant, job.id, parse_position(position)):
            if part.startswith(b":"):
                queue.put_nowait({"event": "ping"})
            for one in parsed(part.decode()):
                queue.put_nowait(one)
        queue.put_nowait({"event": "end"})

    task = asyncio.create_task(read())
    yield queue
    task.cancel()
    await asyncio.wait({task})


async def until(queue: asyncio.Queue[dict[str, Any]], event: str) -> list[str]:
    seen: list[str] = []
    async with asyncio.timeout(10):
        while not seen or seen[-1] != event:
            seen.append((await queue.get())["event"])
    return seen


async def test_news_come_while_it_runs_and_silence_is_filled(
    job: Job, services: Services, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setattr(streams, "PING_S", 0.2)
    await job.submit()
    progress = RedisProgress(redis_url)
    async with following(services, job) as live:
        assert await until(live, "job.queued") == ["job.queued"]
        assert (await until(live, "ping"))[-1] == "ping"
        await job.claim()
        await progress.publish([JobId(job.id)])
        assert "job.started" in await until(live, "job.started")
        await job.stop()
        await progress.publish([JobId(job.id)], {JobId(job.id)})
        assert (await until(live, "end"))[-2:] == ["job.stopped", "end"]
    await progress.close()
    assert services.feeds.streams == 0
    assert services.feeds._feeds == {}


async def test_without_redis_the_trace_is_looked_at_all_the_same(
    job: Job, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.watcher.close()
    services.watcher._set_connected(False)
    await job.submit()
    async with following(services, job) as live:
        await until(live, "job.queued")
        await job.claim()
        assert "job.started" in await until(live, "job.started")


async def test_a_hundred_streams_cost_what_one_costs(
    job: Job, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await job.submit()
    asked = 0
    news = services.traces.news

    async def count(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await news(*arguments)

    monkeypatch.setattr(services.traces, "news", count)
    async with contextlib.AsyncExitStack() as stack:
        live = [await stack.enter_async_context(following(services, job)) for _ in range(100)]
        await asyncio.gather(*(until(one, "job.queued") for one in live))
        await job.claim()
        services.watcher.wake_all()
        await asyncio.gather(*(until(one, "job.started") for one in live))
        assert services.feeds.streams == 100
    assert asked <= 5


async def test_a_late_reader_of_a_long_trace_gets_all_of_it(
    job: Job, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.feeds.KEPT_BYTES", 500)
    await job.submit()
    await job.claim()
    async with following(services, job) as first:
        await until(first, "job.started")
        for move in await job.ask():
            await job.settle(solution(move))
        services.watcher.wake_all()
        early = ["job.queued", "job.started", *await until(first, "node.sampled")]
        async with following(services, job) as second:
            late = await until(second, "node.sampled")
        assert late == early
        await job.stop()
        services.watcher.wake_all()
        await until(first, "end")


async def test_a_draining_server_ends_its_streams(job: Job, services: Services) -> None:
    await job.submit()
    async with following(services, job) as live:
        await until(live, "job.queued")
        services.drain()
        assert await until(live, "end") == ["end"]


async def test_the_trace_as_one_file_is_the_trace(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE", 2)
    await job.whole()
    response = await job.client.get(f"{JOBS}/{job.id}/trace.jsonl")
    assert response.headers["content-type"] == "application/x-ndjson"
    pages = (await job.client.get(f"{JOBS}/{job.id}/trace", params={"limit": 1000})).json()
    assert [json.loads(line) for line in response.text.splitlines()] == pages["data"]


def told(events: list[Event]) -> list[dict[str, Any]]:
    teller, out = Teller("job_x"), b""
    for seq, event in enumerate(events):
        out += b"".join(message.data for message in teller.tell(StoredEvent(seq, datetime.now(UTC), event)))
    return parsed(out.decode())


def test_steps_that_the_next_round_leaves_are_pruned() -> None:
    submitted = JobSubmitted(text_problem("1 + 1"), Beam(n=4, width=2), Budget(), None, 1)
    search, events = begin(submitted), [submitted]

    def play(event: Event) -> None:
        nonlocal search
        events.append(event)
        search = step(search, event)

    def ask() -> tuple[Any, ...]:
        _, moves = search.ask(32)
        play(MovesIssued(32, tuple(map(issued, moves))))
        return moves

    for number, move in enumerate(ask()):
        play(MoveSettled(move.id, Sampled(move.id, f"step {number}", FinishReason.STOP, None, -1.0, NO_COST)))
    for number, move in enumerate(ask()):
        play(MoveSettled(move.id, Scored(move.id, (0.1 + 0.2 * number,), NO_COST)))
    grown = ask()
    found = told(events)
    added = [one["node"] for one in found if one["event"] == "node.added"]
    assert added == list(range(1, 5 + len(grown)))
    kept = {one["parent"] for one in found if one["event"] == "node.added"} - {0}
    given_up = {one["node"] for one in found if one["event"] == "node.pruned"}
    assert given_up == {1, 2, 3, 4} - kept
    assert given_up


def test_a_trace_that_cannot_be_folded_is_told_without_verdicts() -> None:
    submitted = JobSubmitted(text_problem("1 + 1"), BestOfN(n=1), Budget(), None, 1)
    _, moves = begin(submitted).ask(1)
    odd = MovesIssued(1, (issued(moves[0]), issued(moves[0])))
    events = [submitted, odd, MoveSettled("k", solution(moves[0].id))]
    assert [one["event"] for one in told(events)] == ["job.queued", "node.added", "node.added", "node.sampled"]


def test_verdicts_are_not_made_up() -> None:
    """A search without an answer has no verdict to tell."""
    submitted = JobSubmitted(text_problem("1 + 1"), BestOfN(n=1), Budget(), None, 1)
    _, moves = begin(submitted).ask(1)
    cut = Sampled(moves[0].id, "so", FinishReason.LENGTH, None, -1.0, NO_COST)
    events = [submitted, MovesIssued(1, (issued(moves[0]),)), MoveSettled("k", cut)]
    assert "verdict" not in [one["event"] for one in told(events)]
