"""What stands in the output and error files: one JSON line for each ended line of a batch.

Law: whatever became of a line, there is an answer to it; nothing that is wrong with one line stops the batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch import NATIVE
from domain.batch_lines import LineFault
from domain.codec import decode_event
from domain.dialects import Dialects
from domain.errors import InvalidRequest, UnknownModel
from domain.events import Event
from domain.job import JobStatus
from search.rollouts import shown_solutions
from storage.batch_source import texts, within_reach
from storage.batch_stopping import ERASED, WHY_STOPPED
from storage.records import JobRecord, job_record

ALONE = LineFault("job_cancelled", "The job of this line was cancelled.")
UNREADABLE = LineFault("line_unreadable", "The text of this line is gone or can't be read any more.")

_JOBS = text("SELECT jobs.*, clock_timestamp() AS read_at FROM jobs WHERE id = ANY(CAST(:jobs AS text[]))")
_EVENTS = text("SELECT job_id, body FROM events WHERE job_id = ANY(CAST(:jobs AS text[])) ORDER BY job_id, seq")


@dataclass(frozen=True, slots=True)
class Answer:
    line: int
    ok: bool
    """Whether it belongs into the output file."""
    data: bytes


@dataclass(frozen=True, slots=True)
class _Material:
    """What a line's answer is made of."""

    row: Row[Any]
    job: JobRecord | None
    raw: bytes | None
    events: Sequence[Event]


async def answers(
    connection: AsyncConnection, batch: RowMapping, dialects: Dialects, rows: Sequence[Row[Any]]
) -> list[Answer]:
    """Of the first ones of these ended lines that can be read at once; at least of one."""
    if batch["endpoint"] != NATIVE:
        rows = within_reach(rows)
    found = await _material(connection, batch, rows)
    return [_answer(batch, dialects, one) for one in found]


async def _material(connection: AsyncConnection, batch: RowMapping, rows: Sequence[Row[Any]]) -> list[_Material]:
    ids = [row.job_id for row in rows if row.job_id is not None]
    records = (await connection.execute(_JOBS, {"jobs": ids})).mappings()
    ended = {record["id"]: job_record(record) for record in records}
    raws: Sequence[bytes | None] = [None] * len(rows)
    events: dict[str, list[Event]] = {}
    if batch["endpoint"] != NATIVE:
        raws = await texts(connection, batch["input_file_id"], rows)
        for event in await connection.execute(_EVENTS, {"jobs": ids}):
            events.setdefault(event.job_id, []).append(decode_event(event.body))
    return [
        _Material(row, ended.get(row.job_id), raw, events.get(row.job_id, ()))
        for row, raw in zip(rows, raws, strict=True)
    ]


def _answer(batch: RowMapping, dialects: Dialects, found: _Material) -> Answer:
    outcome = _outcome(batch, dialects, found)
    result = {
        "id": f"batch_req_{batch['id'].partition('_')[2]}_{found.row.line}",
        "custom_id": found.row.custom_id,
        **outcome,
    }
    # ASCII: what a model writes may hold lone surrogates.
    data = json.dumps(result, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    return Answer(found.row.line, (outcome["response"] or {}).get("status_code") == 200, data)


def _outcome(batch: RowMapping, dialects: Dialects, found: _Material) -> dict[str, Any]:
    row, job = found.row, found.job
    if row.fault is not None:
        return _faulty(row)
    if job is None:
        return _error(row, ERASED)
    if job.status is JobStatus.CANCELLED:
        return _error(row, WHY_STOPPED.get(batch["stopping"], ALONE))
    if job.error is not None:
        error = {"code": job.error.code, "message": job.error.message, "param": None}
        return _refused(row, 500, "server_error", error)
    try:
        body = _body(batch["endpoint"], dialects, found, job)
    except (InvalidRequest, UnknownModel, ValueError):
        return _error(row, UNREADABLE)
    return {"response": {"status_code": 200, "request_id": _request_id(row), "body": body}, "error": None}


def _body(endpoint: str, dialects: Dialects, found: _Material, job: JobRecord) -> dict[str, Any]:
    """Raises InvalidRequest, UnknownModel, ValueError where the line can't be read any more."""
    if endpoint == NATIVE:
        return dialects.answer(endpoint, {}, job, ())
    body = json.loads((found.raw or b"").decode("utf-8-sig")).get("body")
    assert job.verdict is not None
    shown = shown_solutions(job.verdict, found.events, dialects.choices(endpoint, body))
    return dialects.answer(endpoint, body, job, shown)


def _faulty(row: Row[Any]) -> dict[str, Any]:
    fault: Mapping[str, Any] = row.fault
    if fault.get("status") is not None:
        return _refused(row, fault["status"], "invalid_request_error", fault)
    error = {name: fault[name] for name in ("code", "message", "param")}
    return {"response": None, "error": error | {"line": row.line}}


def _error(row: Row[Any], fault: LineFault) -> dict[str, Any]:
    return {"response": None, "error": {"code": fault.code, "message": fault.message, "line": row.line}}


def _refused(row: Row[Any], status: int, kind: str, error: Mapping[str, Any]) -> dict[str, Any]:
    body = {"error": {"message": error["message"], "type": kind, "param": error["param"], "code": error["code"]}}
    response = {"status_code": status, "request_id": _request_id(row), "body": body, "line": row.line}
    return {"response": response, "error": None}


def _request_id(row: Row[Any]) -> str:
    return f"req_{row.line}" if row.job_id is None else f"req_{row.job_id.partition('_')[2]}"
