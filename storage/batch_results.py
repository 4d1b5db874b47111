"""Writing results: ended lines go to the end of the output file or of the error file, and the batch ends with the last.

Law: the text of a line and its state `written` are stored together, so that each line is in one file once. The lines
are locked before their jobs are read, so that a job that is erased meanwhile leaves nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch import NATIVE
from domain.batch_lines import LineFault
from domain.budget import Spend
from domain.codec import decode
from domain.dialects import EndedJob, answer_body
from domain.job import JobError, JobStatus
from domain.verdict import StopReason, Verdict
from storage.announcing import Announcement, announce
from storage.batch_source import texts, within_reach
from storage.batch_stopping import ERASED, WHY_STOPPED
from storage.columns import SPEND_COLUMNS
from storage.files import add_output, append

LINES_AT_ONCE = 256
ALONE = LineFault("job_cancelled", "The job of this line was cancelled.")

JOB_COLUMNS = f"""jobs.id AS job_id, jobs.status, jobs.stop_reason, jobs.verdict, jobs.error, jobs.metadata,
    extract(epoch FROM jobs.created_at)::float8 AS created_s, extract(epoch FROM jobs.ended_at)::float8 AS ended_s,
    extract(epoch FROM jobs.ended_at - coalesce(jobs.started_at, jobs.ended_at))::float8 AS seconds,
    {", ".join(f"jobs.{name}" for name in SPEND_COLUMNS)}"""
_ENDED = text(
    f"""
    SELECT line.line, line.custom_id, line.start, line.bytes, line.ok, line.fault, {JOB_COLUMNS}
    FROM batch_lines AS line LEFT JOIN jobs ON jobs.id = line.job_id
    WHERE line.batch_id = :batch AND line.state = 'ended' ORDER BY line.line LIMIT {LINES_AT_ONCE} FOR UPDATE OF line
    """
)
_WRITTEN = text(
    """
    UPDATE batch_lines AS line SET state = 'written', result_start = result.start, result_bytes = result.bytes
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


async def write_results(connection: AsyncConnection, batch: RowMapping) -> int:
    """Write the next ended lines; gives their number."""
    rows: Sequence[Row[Any]] = (await connection.execute(_ENDED, {"batch": batch["id"]})).all()
    if not rows:
        return 0
    bodies: list[bytes | None] = [None] * len(rows)
    if batch["endpoint"] != NATIVE:
        rows = within_reach(rows)
        bodies = await texts(connection, batch["input_file_id"], rows)
    good: list[tuple[int, bytes]] = []
    bad: list[tuple[int, bytes]] = []
    for row, body in zip(rows, bodies, strict=True):
        (good if row.ok and row.job_id is not None else bad).append((row.line, _line(batch, row, body)))
    output = await _append(connection, batch, "output", good)
    error = await _append(connection, batch, "error", bad)
    await connection.execute(_COUNT, {"batch": batch["id"], "number": len(rows), "output": output, "error": error})
    return len(rows)


async def finish(connection: AsyncConnection, batch: str) -> str | None:
    """The final status, when the batch has just ended."""
    await connection.execute(_FINALIZE, {"batch": batch})
    row = (await connection.execute(_FINISH, {"batch": batch})).first()
    if row is None:
        return None
    await announce(connection, [Announcement(row.tenant_id, f"batch.{row.status}", {"id": batch})], row.now)
    return str(row.status)


async def _append(
    connection: AsyncConnection, batch: RowMapping, kind: str, lines: Sequence[tuple[int, bytes]]
) -> str | None:
    """The id of the batch's file of this kind, which is made when there is something to write."""
    file_id: str | None = batch[f"{kind}_file_id"]
    if not lines:
        return file_id
    if file_id is None:
        name = f"{batch['id']}_{kind}.jsonl"
        file_id = await add_output(connection, batch["tenant_id"], name, batch["output_expires_s"])
    start = await append(connection, file_id, b"".join(data for _, data in lines))
    sizes = [len(data) for _, data in lines]
    places = {"starts": list(accumulate(sizes[:-1], initial=start)), "sizes": sizes}
    await connection.execute(_WRITTEN, {"batch": batch["id"], "lines": [line for line, _ in lines], **places})
    return file_id


def _line(batch: RowMapping, row: Row[Any], raw: bytes | None) -> bytes:
    result = {
        "id": f"batch_req_{batch['id'].partition('_')[2]}_{row.line}",
        "custom_id": row.custom_id,
        **_outcome(batch, row, raw),
    }
    # ASCII: what a model writes may hold lone surrogates.
    return json.dumps(result, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _outcome(batch: RowMapping, row: Row[Any], raw: bytes | None) -> dict[str, Any]:
    fault: Mapping[str, Any] | None = row.fault
    if fault is not None:
        if fault["code"] == "invalid_request":
            return _refused(row, 400, "invalid_request_error", fault)
        return {"response": None, "error": {**fault, "line": row.line}}
    if row.job_id is None:
        return {"response": None, "error": {"code": ERASED.code, "message": ERASED.message, "line": row.line}}
    job = ended_job(row)
    if job.status is JobStatus.CANCELLED:
        why = WHY_STOPPED.get(batch["stopping"], ALONE)
        return {"response": None, "error": {"code": why.code, "message": why.message, "line": row.line}}
    if job.error is not None:
        error = {"code": job.error.code, "message": job.error.message, "param": None}
        return _refused(row, 500, "server_error", error)
    body = answer_body(batch["endpoint"], body_of(raw), job)
    return {"response": {"status_code": 200, "request_id": _request_id(row), "body": body}, "error": None}


def _refused(row: Row[Any], status: int, kind: str, error: Mapping[str, Any]) -> dict[str, Any]:
    body = {"error": {"message": error["message"], "type": kind, "param": error["param"], "code": error["code"]}}
    response = {"status_code": status, "request_id": _request_id(row), "body": body, "line": row.line}
    return {"response": response, "error": None}


def _request_id(row: Row[Any]) -> str:
    return f"req_{row.line}" if row.job_id is None else f"req_{row.job_id.partition('_')[2]}"


def body_of(raw: bytes | None) -> dict[str, Any]:
    """The body of a line that was read and checked before; empty when the file is gone."""
    if raw is None:
        return {}
    body = json.loads(raw.decode("utf-8-sig")).get("body")
    return body if isinstance(body, dict) else {}


def ended_job(row: Row[Any]) -> EndedJob:
    """From the columns of JOB_COLUMNS."""
    return EndedJob(
        id=row.job_id,
        status=JobStatus(row.status),
        reason=StopReason(row.stop_reason),
        verdict=decode(Verdict, row.verdict),
        error=None if row.error is None else decode(JobError, row.error),
        created_s=row.created_s,
        ended_s=row.ended_s,
        seconds=max(0.0, row.seconds),
        spend=Spend(*(getattr(row, name) for name in SPEND_COLUMNS)),
        metadata=tuple(row.metadata.items()),
    )
