"""Batches in the database: every line is answered once, whatever happens on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from domain.batch import NATIVE, BatchStatus, parse_batch
from domain.dialects import Dialects
from domain.errors import InvalidRequest, NotFound
from domain.facade.models import Catalogue
from domain.ids import TenantId
from domain.settings import Settings
from domain.verdict import StopReason
from storage.batch_erasure import BatchErasure
from storage.batch_reading import BatchResults
from storage.batch_work import BatchWork
from storage.batches import Batches, BatchRecord
from storage.database import Database
from storage.erasure import erase_jobs
from storage.files import Files
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.support.jobs import ending, run_sql, scalar

pytestmark = pytest.mark.integration
DIALECTS = Dialects(Catalogue(Settings(Path())))


class Bench:
    """A batch and the two processes that work on it, played by hand."""

    def __init__(self, database: Database, tenant: TenantId, window: int = 4) -> None:
        self.database, self.tenant = database, tenant
        self.batches, self.files = Batches(database), Files(database)
        self.work, self.store = BatchWork(database, DIALECTS, window), PostgresJobStore(database)
        self.id = ""

    async def upload(self, data: bytes) -> str:
        writer = await self.files.begin(self.tenant)
        await writer.write(data)
        await writer.seal("in.jsonl", "batch", None)
        return writer.id

    async def create(self, lines: list[Any] | bytes, endpoint: str = NATIVE, **body: Any) -> BatchRecord:
        data = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        request = parse_batch({"input_file_id": await self.upload(data), **body}, endpoint)
        batch, _ = await self.batches.create(self.tenant, request)
        self.id = batch.id
        return batch

    async def turns(self, most: int = 50) -> BatchRecord:
        for _ in range(most):
            if not await self.work.turn(self.id):
                break
        return await self.now()

    async def now(self) -> BatchRecord:
        return await self.batches.get(self.tenant, self.id)

    async def finish_jobs(self, limit: int = 100, reason: StopReason = StopReason.COMPLETE) -> list[str]:
        claims = await self.store.claim("w", limit, 30.0)
        writes = [ending(claim.job, claim.fence, len(claim.events), reason) for claim in claims]
        assert await self.store.commit(writes) == frozenset()
        return [claim.job for claim in claims]

    async def to_end(self) -> BatchRecord:
        for _ in range(50):
            batch = await self.turns()
            if batch.final:
                return batch
            await self.finish_jobs()
        raise AssertionError(f"the batch does not end: {await self.now()}")

    async def lines_of(self, file_id: str | None) -> list[dict[str, Any]]:
        if file_id is None:
            return []
        record = await self.files.get(self.tenant, file_id)
        data = b"".join([part async for part in self.files.read(self.tenant, file_id, 0, record.bytes)])
        assert data.count(b"\n") == record.lines
        return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def bench(database: Database, tenant: TenantId) -> Bench:
    return Bench(database, tenant)


def problems(count: int) -> list[dict[str, Any]]:
    return [{"id": f"p{number}", "problem": f"What is {number} + 1?", "level": 3} for number in range(count)]


async def test_every_line_is_answered_once_and_the_counters_are_right_at_every_step(bench: Bench) -> None:
    await bench.create(problems(11))
    done = 0
    while not (batch := await bench.turns()).final:
        assert batch.status is BatchStatus.IN_PROGRESS
        assert batch.running <= 4
        assert (batch.total, batch.failed, batch.completed) == (11, 0, done)
        done += len(await bench.finish_jobs(2))
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.total, batch.completed, batch.running, batch.written) == (11, 11, 0, 11)
    output = await bench.lines_of(batch.output_file)
    assert sorted(line["custom_id"] for line in output) == sorted(f"p{number}" for number in range(11))
    assert {line["response"]["body"]["answer"] for line in output} == {"42"}
    assert batch.error_file is None
    assert batch.times["completed_at"] is not None


async def test_spend_of_lines_is_summed(bench: Bench) -> None:
    await bench.create(problems(5))
    batch = await bench.to_end()
    assert batch.spend.generated_tokens == 5 * 20
    assert batch.spend.rollouts == 5


async def test_bad_lines_are_answered_by_number_and_the_others_run(bench: Bench) -> None:
    request = {"method": "POST", "url": NATIVE}
    lines = [
        b'{"id": "a", "problem": "1 + 1"}',
        b"{oops",
        b"",
        b'{"id": "a", "problem": "again"}',
        json.dumps({"custom_id": "b", **request, "body": {"problem": "2"}}).encode(),
        json.dumps({"custom_id": "c", "method": "GET", "url": NATIVE, "body": {}}).encode(),
        json.dumps({"custom_id": "d", "method": "POST", "url": "/v1/other", "body": {}}).encode(),
        json.dumps({"custom_id": "e", **request, "body": {"problem": "", "effort": "low"}}).encode(),
        b'{"id": "long", "problem": "' + b"x" * (1024 * 1024) + b'"}',
        b'{"id": "longer", "problem": "' + b"x" * (5 * 1024 * 1024) + b'"}',
        b'["not an object"]',
        b'{"id": "z", "problem": "last", "answer": "7"}',
    ]
    await bench.create(b"\r\n".join(lines))
    batch = await bench.to_end()
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.total, batch.completed, batch.failed, batch.invalid) == (12, 3, 9, 9)
    codes = {error.line: error.code for error in await bench.batches.errors(batch)}
    assert codes == {
        2: "invalid_json_line", 3: "blank_line", 4: "duplicate_custom_id", 6: "invalid_method", 7: "mismatched_url",
        8: "invalid_request", 9: "line_too_long", 10: "line_too_long", 11: "invalid_json_line",
    }  # fmt: skip
    output = await bench.lines_of(batch.output_file)
    assert sorted(line["custom_id"] for line in output) == ["a", "b", "z"]
    errors = await bench.lines_of(batch.error_file)
    by_line = {(line["error"] or line["response"])["line"]: line for line in errors}
    assert set(by_line) == set(codes)
    assert by_line[4]["custom_id"] == "a"
    assert by_line[8]["response"]["status_code"] == 400
    assert by_line[8]["response"]["body"]["error"]["param"] == "body.problem"


async def test_one_bad_line_fails_a_batch_that_was_asked_to(bench: Bench) -> None:
    await bench.create([*problems(2), "no"], on_invalid_line="fail")
    batch = await bench.turns()
    assert batch.status is BatchStatus.FAILED
    assert [(error.code, error.line) for error in await bench.batches.errors(batch)] == [
        ("invalid_lines", None), ("invalid_json_line", 3),
    ]  # fmt: skip
    assert await scalar(bench.database, "SELECT count(*) FROM jobs") == 0


@pytest.mark.parametrize(("data", "code"), [(b"", "empty_file"), (b"x\ny\n", "no_valid_line")])
async def test_a_file_without_a_line_that_can_run_fails(bench: Bench, data: bytes, code: str) -> None:
    await bench.create(data)
    batch = await bench.turns()
    assert batch.status is BatchStatus.FAILED
    assert (await bench.batches.errors(batch))[0].code == code


async def test_a_failed_job_goes_to_the_error_file(bench: Bench) -> None:
    await bench.create(problems(2))
    await bench.turns()
    await bench.finish_jobs(1, StopReason.ENGINE_FAILED)
    batch = await bench.to_end()
    assert (batch.completed, batch.failed) == (1, 1)
    (error,) = await bench.lines_of(batch.error_file)
    assert error["response"]["status_code"] == 500
    assert error["response"]["body"]["error"]["code"] == "engine_error"


async def test_the_output_is_readable_while_it_runs(bench: Bench) -> None:
    await bench.create(problems(6))
    await bench.turns()
    await bench.finish_jobs(2)
    batch = await bench.turns()
    assert batch.status is BatchStatus.IN_PROGRESS
    assert len(await bench.lines_of(batch.output_file)) == 2


async def test_cancel_keeps_what_is_finished_and_answers_the_rest(bench: Bench) -> None:
    await bench.create(problems(9))
    await bench.turns()
    await bench.finish_jobs(2)
    await bench.turns()
    (running,) = await bench.store.claim("w", 1, 30.0)
    batch = await bench.batches.cancel(bench.tenant, bench.id)
    assert batch.status is BatchStatus.CANCELLING
    assert (await bench.turns()).status is BatchStatus.CANCELLING  # one line still runs
    renewal = await bench.store.renew("w", [(running.job, running.fence)], 30.0)
    assert renewal.cancelled == {running.job}
    await bench.store.commit([ending(running.job, running.fence, 1, StopReason.CANCELLED)])
    batch = await bench.turns()
    assert batch.status is BatchStatus.CANCELLED
    assert (batch.completed, batch.failed, batch.written) == (2, 7, 9)
    assert {line["error"]["code"] for line in await bench.lines_of(batch.error_file)} == {"batch_cancelled"}
    again = await bench.batches.cancel(bench.tenant, bench.id)
    assert again.status is BatchStatus.CANCELLED


async def test_expiry_keeps_what_is_finished(bench: Bench) -> None:
    await bench.create(problems(6))
    await bench.turns()
    await bench.finish_jobs(3)
    await run_sql(bench.database, "UPDATE batches SET expires_at = now()")
    batch = await bench.turns()
    assert batch.status is BatchStatus.EXPIRED
    assert (batch.completed, batch.failed) == (3, 3)
    assert {line["error"]["code"] for line in await bench.lines_of(batch.error_file)} == {"batch_expired"}


async def test_a_paused_batch_starts_nothing_until_it_is_resumed(bench: Bench) -> None:
    await bench.create(problems(6))
    await bench.turns()
    await bench.batches.pause(bench.tenant, bench.id)
    await bench.finish_jobs()
    batch = await bench.turns()
    assert (batch.paused, batch.running, batch.completed, batch.waiting) == (True, 0, 4, 2)
    await bench.batches.resume(bench.tenant, bench.id)
    assert (await bench.to_end()).completed == 6


async def test_a_budget_is_never_exceeded_and_what_is_left_goes_to_later_lines(bench: Bench) -> None:
    await bench.create(problems(10), budget={"tokens": 1000}, strategy="best_of_n")
    batch = await bench.turns()
    held = await scalar(bench.database, "SELECT sum(budget_tokens) FROM jobs")
    assert held == 4 * 100
    assert held == await scalar(bench.database, "SELECT reserved_tokens FROM batches")
    await bench.finish_jobs()  # each used 20 of its 100 tokens
    await bench.turns()
    shares = await scalar(bench.database, "SELECT max(budget_tokens) FROM jobs WHERE status = 'queued'")
    assert shares == (1000 - 4 * 20) // 6
    batch = await bench.to_end()
    assert batch.completed == 10
    assert await scalar(bench.database, "SELECT reserved_tokens FROM batches") == 0


async def test_lines_beyond_the_budget_are_answered_so(bench: Bench) -> None:
    await bench.create(problems(5), budget={"rollouts": 3})
    batch = await bench.to_end()
    assert (batch.status, batch.completed, batch.failed) == (BatchStatus.COMPLETED, 3, 2)
    assert {line["error"]["code"] for line in await bench.lines_of(batch.error_file)} == {"batch_budget_exhausted"}


async def test_lines_wait_where_a_single_job_would_be_refused(bench: Bench) -> None:
    await bench.create(problems(6))
    await run_sql(bench.database, "UPDATE tenants SET max_queued = 4")
    assert (await bench.turns()).running == 2  # half of the limit is left to single jobs
    await run_sql(bench.database, "UPDATE tenants SET max_queued = NULL, tokens_per_day = 1")
    await bench.finish_jobs()
    batch = await bench.turns()
    assert (batch.running, batch.completed, batch.waiting) == (4, 2, 0)


async def test_the_end_of_a_batch_is_announced_once_and_its_lines_are_not(bench: Bench) -> None:
    await run_sql(
        bench.database,
        "INSERT INTO webhook_endpoints (id, tenant_id, name, url, event_types, secret) VALUES ('we_1', :tenant, 'n',"
        " 'https://example.org', '{batch.completed,batch.failed}', 'whsec_x')",
        tenant=bench.tenant,
    )
    done = await bench.create(problems(3))
    await bench.to_end()
    bad = await bench.create(b"x")
    await bench.turns()
    async with bench.database.transaction() as connection:
        rows = (await connection.execute(text("SELECT event_type, body FROM webhook_deliveries ORDER BY id"))).all()
    told = [(row.event_type, json.loads(bytes(row.body))["data"]) for row in rows]
    assert told == [("batch.completed", {"id": done.id}), ("batch.failed", {"id": bad.id})]


async def test_two_workers_do_each_line_once(bench: Bench) -> None:
    import asyncio

    await bench.create(problems(40))
    other = BatchWork(bench.database, DIALECTS, 4)
    while not (await bench.now()).final:
        await asyncio.gather(bench.work.turn(bench.id), other.turn(bench.id), bench.finish_jobs(3))
    batch = await bench.now()
    assert batch.completed == 40
    assert len(await bench.lines_of(batch.output_file)) == 40
    assert await scalar(bench.database, "SELECT count(*) FROM jobs") == 40


async def test_an_erased_job_is_answered_as_such(bench: Bench) -> None:
    await bench.create(problems(2))
    await bench.turns()
    await run_sql(bench.database, "DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs)")
    await bench.work.mend(bench.id)
    batch = await bench.to_end()
    assert (batch.completed, batch.failed) == (1, 1)
    assert (await bench.lines_of(batch.error_file))[0]["error"]["code"] == "job_erased"


async def test_a_deleted_batch_is_invisible_at_once_and_leaves_nothing(bench: Bench) -> None:
    batch = await bench.create(problems(6))
    await bench.turns()
    await bench.finish_jobs(2)
    await bench.turns()
    erasure = BatchErasure(bench.database)
    await erasure.request(bench.tenant, bench.id)
    with pytest.raises(NotFound):
        await bench.now()
    assert not await erasure.step()  # its jobs are being stopped
    while await bench.work.turn(bench.id):
        pass
    while await erasure.step():
        pass
    for table in ("batches", "batch_lines", "jobs", "files", "file_chunks"):
        assert await scalar(bench.database, f"SELECT count(*) FROM {table}") == 0, table
    assert batch.status is BatchStatus.VALIDATING


async def test_what_an_erased_job_left_in_files_is_written_over(bench: Bench) -> None:
    lines = [{"id": f"p{number}", "problem": f"secret-{number} " + "x" * 90_000} for number in range(4)]
    batch = await bench.create(lines)
    batch = await bench.to_end()
    first, last = [
        await scalar(bench.database, f"SELECT job_id FROM batch_lines WHERE line = {line}") for line in (1, 3)
    ]
    async with bench.database.transaction() as connection:
        await erase_jobs(connection, [first, last])
    record = await bench.files.get(bench.tenant, batch.input_file)
    left = b"".join([part async for part in bench.files.read(bench.tenant, batch.input_file, 0, record.bytes)])
    assert len(left) == record.bytes
    assert [b"secret-%d" % number in left for number in range(4)] == [False, True, False, True]
    assert [json.loads(line)["id"] for line in left.splitlines() if line.strip()] == ["p1", "p3"]
    output = await bench.lines_of(batch.output_file)
    assert [line.get("custom_id") for line in output] == [None, "p1", None, "p3"]
    results, _ = await BatchResults(bench.database).page(bench.tenant, bench.id)
    assert [(one.status, one.answer, one.custom_id) for one in results] == [
        ("erased", None, None), ("completed", "42", "p1"), ("erased", None, None), ("completed", "42", "p3"),
    ]  # fmt: skip


async def test_an_answer_that_postgres_cant_show_is_shown(bench: Bench) -> None:
    await bench.create(problems(1))
    await bench.turns()
    await bench.finish_jobs()
    worst = r"""replace(verdict::text, '"42"', '"\u0000\ud800"')::json"""
    await run_sql(bench.database, f"UPDATE jobs SET verdict = {worst}")
    ((result,), _) = await BatchResults(bench.database).page(bench.tenant, bench.id)
    assert result.answer == "\x00\ud800"
    assert (await bench.turns()).status is BatchStatus.COMPLETED


async def test_another_tenants_batch_and_file_are_unknown(bench: Bench, database: Database) -> None:
    batch = await bench.create(problems(1))
    stranger = await Keys(database).ensure_tenant("other")
    for read in (
        bench.batches.get(stranger, batch.id),
        bench.batches.cancel(stranger, batch.id),
        bench.batches.pause(stranger, batch.id),
        bench.files.get(stranger, batch.input_file),
        bench.files.delete(stranger, batch.input_file),
        bench.batches.create(stranger, parse_batch({"input_file_id": batch.input_file}, NATIVE)),
    ):
        with pytest.raises(NotFound, match="no such"):
            await read
    assert (await bench.batches.page(stranger))[0] == []


async def test_a_file_in_use_is_not_deleted(bench: Bench) -> None:
    batch = await bench.create(problems(1))
    with pytest.raises(InvalidRequest, match="in use"):
        await bench.files.delete(bench.tenant, batch.input_file)
    await bench.to_end()
    await bench.files.delete(bench.tenant, batch.input_file)
    assert (
        await scalar(bench.database, "SELECT count(*) FROM file_chunks WHERE file_id = '" + batch.input_file + "'") == 0
    )


async def test_a_line_whose_text_is_gone_is_answered_and_erased_where_it_stands(bench: Bench) -> None:
    request = {"method": "POST", "url": "/v1/responses"}
    lines = [{"custom_id": f"c{number}", **request, "body": {"input": f"{number} + 1"}} for number in range(2)]
    await bench.create(lines, "/v1/responses")
    await bench.turns()
    await bench.finish_jobs()
    first = await scalar(bench.database, "SELECT bytes FROM batch_lines WHERE line = 1")
    blank = f"overlay(data PLACING decode(repeat('20', {first}), 'hex') FROM 1 FOR {first})"
    await run_sql(bench.database, f"UPDATE file_chunks SET data = {blank}")
    batch = await bench.turns()
    assert batch.status is BatchStatus.COMPLETED
    assert [line["custom_id"] for line in await bench.lines_of(batch.output_file)] == ["c1"]
    assert (await bench.lines_of(batch.error_file))[0]["error"]["code"] == "line_unreadable"
    gone = await scalar(bench.database, "SELECT job_id FROM batch_lines WHERE line = 1")
    async with bench.database.transaction() as connection:
        await erase_jobs(connection, [gone])
    assert await bench.lines_of(batch.error_file) == [{"error": {"code": "job_erased"}}]
    assert [line["custom_id"] for line in await bench.lines_of(batch.output_file)] == ["c1"]


async def test_openai_lines_are_answered_in_their_own_shape(bench: Bench) -> None:
    body = {"model": "deliberate", "messages": [{"role": "user", "content": "6 * 7"}]}
    line = {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": body}
    await bench.create([line], "/v1/chat/completions")
    batch = await bench.to_end()
    (answer,) = await bench.lines_of(batch.output_file)
    assert answer["response"]["body"]["model"] == "deliberate"
    assert answer["response"]["body"]["choices"][0]["message"]["content"].endswith("\\boxed{42}")
    assert answer["response"]["body"]["choices"][0]["message"]["role"] == "assistant"
