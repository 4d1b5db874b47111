"""Batches in the database: every line is answered once, whatever happens on the way."""

from __future__ import annotations

import json

import pytest

from domain.batch import NATIVE, BatchStatus
from domain.verdict import StopReason
from storage.batch_reading import BatchResults
from storage.batch_work import BatchWork
from tests.support.batch_bench import DIALECTS, Bench, problems
from tests.support.jobs import run_sql, scalar

pytestmark = pytest.mark.integration


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


async def test_an_answer_that_postgres_cant_show_is_shown(bench: Bench) -> None:
    await bench.create(problems(1))
    await bench.turns()
    await bench.finish_jobs()
    worst = r"""replace(verdict::text, '"42"', '"\u0000\ud800"')::json"""
    await run_sql(bench.database, f"UPDATE jobs SET verdict = {worst}")
    ((result,), _) = await BatchResults(bench.database).page(bench.tenant, bench.id)
    assert result.answer == "\x00\ud800"
    assert (await bench.turns()).status is BatchStatus.COMPLETED


async def test_openai_lines_are_answered_in_their_own_shape(bench: Bench) -> None:
    body = {"model": "deliberate", "messages": [{"role": "user", "content": "6 * 7"}]}
    line = {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": body}
    await bench.create([line], "/v1/chat/completions")
    batch = await bench.to_end()
    (answer,) = await bench.lines_of(batch.output_file)
    assert answer["response"]["body"]["model"] == "deliberate"
    assert answer["response"]["body"]["choices"][0]["message"]["content"].endswith("\\boxed{42}")
    assert answer["response"]["body"]["choices"][0]["message"]["role"] == "assistant"
