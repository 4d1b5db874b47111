"""Writing results: ended lines go to the end of the output file or of the error file, and the batch ends with the last.

Law: the text of a line and its state `written` are stored together, so that each line is in one file once. The lines
are locked before their jobs are read, so that a job that is erased meanwhile leaves nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.dialects import Dialects
from storage.announcing import Announcement, announce
from storage.batch_answers import UNREADABLE, Answer, answers
from storage.batch_intake import fault_text
from storage.files import add_output, append

LINES_AT_ONCE = 256

_ENDED = text(
    f"""
    SELECT line, custom_id, start, bytes, job_id, fault FROM batch_lines
    WHERE batch_id = :batch AND state = 'ended' ORDER BY line LIMIT {LINES_AT_ONCE} FOR UPDATE
    """
)
_WRITTEN = text(
    """
    UPDATE batch_lines AS line SET state = 'written', result_start = result.start, result_bytes = result.bytes,
        fault = CASE WHEN ok AND fault IS NULL THEN CAST(:fault AS json) ELSE fault END
    FROM unnest(CAST(:lines AS int[]), CAST(:starts AS bigint[]), CAST(:sizes AS bigint[]))
        AS result (line, start, bytes)
    WHERE line.batch_id = :batch AND line.line = result.line
    """
)
_COUNT = text(
    "UPDATE batches SET written = written + :number, output_file_id = coalesce(output_file_id, :output),"
    " error_file_id = coalesce(error_file_id, :error) WHERE id = :batch"
)
_FINALIZE = text(
    "UPDATE batches SET status = 'finalizing', finalizing_at = clock_timestamp() WHERE id = :batch"
    " AND status = 'in_progress' AND completed + failed = total"
)
_FINISH = text(
    """
    UPDATE batches SET
        status = coalesce(stopping, 'completed'),
        completed_at = CASE WHEN stopping IS NULL THEN clock_timestamp() END,
        expired_at = CASE WHEN stopping = 'expired' THEN clock_timestamp() END,
        cancelled_at = CASE WHEN stopping = 'cancelled' THEN clock_timestamp() END
    WHERE id = :batch AND status IN ('finalizing', 'cancelling') AND written = total AND running = 0
    RETURNING tenant_id, status, clock_timestamp() AS now
    """
)


async def write_results(connection: AsyncConnection, batch: RowMapping, dialects: Dialects) -> int:
    """Write the next ended lines; gives their number."""
    rows = (await connection.execute(_ENDED, {"batch": batch["id"]})).all()
    if not rows:
        return 0
    found = await answers(connection, batch, dialects, rows)
    output = await _append(connection, batch, "output", [one for one in found if one.ok])
    error = await _append(connection, batch, "error", [one for one in found if not one.ok])
    await connection.execute(_COUNT, {"batch": batch["id"], "number": len(found), "output": output, "error": error})
    return len(found)


async def finish(connection: AsyncConnection, batch: str) -> str | None:
    """The final status, when the batch has just ended."""
    await connection.execute(_FINALIZE, {"batch": batch})
    row = (await connection.execute(_FINISH, {"batch": batch})).first()
    if row is None:
        return None
    await announce(connection, [Announcement(row.tenant_id, f"batch.{row.status}", {"id": batch})], row.now)
    return str(row.status)


async def _append(connection: AsyncConnection, batch: RowMapping, kind: str, lines: Sequence[Answer]) -> str | None:
    """The id of the batch's file of this kind, which is made when there is something to write."""
    file_id: str | None = batch[f"{kind}_file_id"]
    if not lines:
        return file_id
    if file_id is None:
        name = f"{batch['id']}_{kind}.jsonl"
        file_id = await add_output(connection, batch["tenant_id"], name, batch["output_expires_s"])
    start = await append(connection, file_id, b"".join(one.data for one in lines))
    sizes = [len(one.data) for one in lines]
    values = {
        "batch": batch["id"],
        "lines": [one.line for one in lines],
        "starts": list(accumulate(sizes[:-1], initial=start)),
        "sizes": sizes,
        # A line that ran and yet stands in the error file says so itself: erasure looks for it there.
        "fault": None if kind == "output" else fault_text(UNREADABLE),
    }
    await connection.execute(_WRITTEN, values)
    return file_id
