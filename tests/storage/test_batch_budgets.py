"""One budget for all lines: never exceeded, and what is left over goes to later ones."""

from __future__ import annotations

import pytest

from domain.batch import BatchStatus
from tests.support.batch_bench import Bench, problems
from tests.support.jobs import run_sql, scalar

pytestmark = pytest.mark.integration


async def test_spend_of_lines_is_summed(bench: Bench) -> None:
    await bench.create(problems(5))
    batch = await bench.to_end()
    assert batch.spend.generated_tokens == 5 * 20
    assert batch.spend.rollouts == 5


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


async def test_a_batch_knows_what_its_lines_were_searched_at(bench: Bench) -> None:
    await bench.create(problems(4), budget={"tokens": 100_000}, strategy={"name": "adaptive", "price": 0.01})
    await bench.to_end()
    assert await scalar(bench.database, "SELECT priced FROM batches") == 4
    assert await scalar(bench.database, "SELECT exp(log_prices / priced) FROM batches") == pytest.approx(0.01)


async def test_plain_lines_have_no_price(bench: Bench) -> None:
    await bench.create(problems(2), strategy="best_of_n")
    await bench.to_end()
    assert await scalar(bench.database, "SELECT priced FROM batches") == 0


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
