"""What is erased of a batch is gone from lines, files and views; another tenant never sees any of it."""

from __future__ import annotations

import json

import pytest

from domain.batch import NATIVE, BatchStatus, parse_batch
from domain.errors import InvalidRequest, NotFound
from storage.batch_erasure import BatchErasure
from storage.batch_reading import BatchResults
from storage.database import Database
from storage.erasure import erase_jobs
from storage.keys import Keys
from tests.support.batch_bench import Bench, problems
from tests.support.jobs import run_sql, scalar

pytestmark = pytest.mark.integration


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
