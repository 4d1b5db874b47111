"""A job's end is its line's end: the line's state and the batch's counters, in the transaction that ends the job.

Law: a line goes from running to ended once, and with it, once, one line and one spend are counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from search.sharing import CHEAPEST
from storage.columns import SPEND_COLUMNS

_UNITS = ("tokens", "flops", "rollouts")

# The batches are locked in the order of their ids: two group commits wait for each other and never deadlock. The
# caller holds the jobs' rows, and nobody who holds a batch's row waits for a job's.
_END = text(
    f"""
    WITH ended AS (
        UPDATE batch_lines AS line SET state = 'ended', ok = (jobs.status IN ('completed', 'incomplete'))
        FROM jobs WHERE line.job_id = ANY(CAST(:jobs AS text[])) AND jobs.id = line.job_id AND line.state = 'running'
        RETURNING line.batch_id, line.ok, {", ".join(f"jobs.{name}" for name in SPEND_COLUMNS)},
            {", ".join(f"jobs.budget_{unit}" for unit in _UNITS)}, (jobs.strategy ->> 'price')::float8 AS price
    ), sums AS (
        SELECT batch_id, count(*) AS number, count(*) FILTER (WHERE ok) AS good,
            {", ".join(f"sum({name}) AS {name}" for name in SPEND_COLUMNS)},
            {", ".join(f"coalesce(sum(budget_{unit}), 0) AS held_{unit}" for unit in _UNITS)},
            count(price) AS priced, coalesce(sum(ln(greatest(price, {CHEAPEST}))), 0) AS log_prices
        FROM ended GROUP BY batch_id
    ), locked AS (
        SELECT id FROM batches WHERE id IN (SELECT batch_id FROM sums) ORDER BY id FOR UPDATE
    )
    UPDATE batches SET running = running - number, ran = ran + number, completed = completed + good,
        failed = failed + number - good,
        priced = batches.priced + sums.priced, log_prices = batches.log_prices + sums.log_prices,
        {", ".join(f"{name} = batches.{name} + sums.{name}" for name in SPEND_COLUMNS)},
        {", ".join(
            f"reserved_{unit} = CASE WHEN batches.budget_{unit} IS NULL THEN 0"
            f" ELSE greatest(0, reserved_{unit} - held_{unit}) END"
            for unit in _UNITS
        )}
    FROM sums JOIN locked ON locked.id = sums.batch_id
    WHERE batches.id = sums.batch_id
    """
)  # fmt: skip


async def end_lines(connection: AsyncConnection, jobs: Sequence[str]) -> None:
    """The caller has ended these jobs in this transaction; most belong to no batch."""
    await connection.execute(_END, {"jobs": list(jobs)})
