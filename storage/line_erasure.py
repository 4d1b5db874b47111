"""Erasing what single erased jobs have left in the files of their batches. Bytes are written over in place, so that no
other line moves.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.batch_intake import fault_text
from storage.batch_stopping import ERASED
from storage.tables import CHUNK_BYTES

STUB = json.dumps({"error": {"code": "job_erased"}}, separators=(",", ":")).encode()
"""What is left of a result: shorter than any, so that it fits into its place."""

_PLACES = text(
    """
    SELECT line.start, line.bytes, line.result_start, line.result_bytes, batches.input_file_id,
        CASE WHEN line.ok AND line.fault IS NULL THEN batches.output_file_id
            ELSE batches.error_file_id END AS result_file
    FROM batch_lines AS line JOIN batches ON batches.id = line.batch_id WHERE line.job_id = ANY(CAST(:jobs AS text[]))
    ORDER BY line.batch_id, line.line FOR UPDATE OF line
    """
)
_FORGET = text(
    "UPDATE batch_lines SET custom_id = NULL, fault = CAST(:fault AS json)"
    " WHERE job_id = ANY(CAST(:jobs AS text[])) AND state <> 'running'"
)
_CHUNKS = text(
    f"SELECT start, data FROM file_chunks WHERE file_id = :file AND start < :stop AND start > :begin - {CHUNK_BYTES}"
    " ORDER BY start FOR UPDATE"
)
_REWRITE = text("UPDATE file_chunks SET data = :data WHERE file_id = :file AND start = :start")

Patch = tuple[int, bytes]
"""Where in the file, and what is to stand there."""


async def erase_lines(connection: AsyncConnection, jobs: Sequence[str]) -> None:
    """These jobs are about to be deleted: take what they asked and answered out of their batches' files."""
    rows = (await connection.execute(_PLACES, {"jobs": list(jobs)})).all()
    patches: defaultdict[str, list[Patch]] = defaultdict(list)
    for row in rows:
        patches[row.input_file_id].append((row.start, b" " * row.bytes))
        if row.result_start is not None and row.result_file is not None:
            patches[row.result_file].append((row.result_start, STUB.ljust(row.result_bytes - 1) + b"\n"))
    for file_id in sorted(patches):
        await _patch(connection, file_id, sorted(patches[file_id]))
    if rows:
        await connection.execute(_FORGET, {"jobs": list(jobs), "fault": fault_text(ERASED)})


async def _patch(connection: AsyncConnection, file_id: str, patches: Sequence[Patch]) -> None:
    """A chunk at a time."""
    for begin, part in _near(patches):
        stop = max(at + len(data) for at, data in part)
        rows = await connection.execute(_CHUNKS, {"file": file_id, "begin": begin, "stop": stop})
        for row in rows.all():
            data = _patched(row.start, bytes(row.data), part)
            await connection.execute(_REWRITE, {"file": file_id, "start": row.start, "data": data})


def _near(patches: Sequence[Patch]) -> Iterable[tuple[int, list[Patch]]]:
    """Groups that begin within one chunk's length, so that few chunks are in memory at once."""
    group: list[Patch] = []
    for patch in patches:
        if group and patch[0] - group[0][0] > CHUNK_BYTES:
            yield group[0][0], group
            group = []
        group.append(patch)
    if group:
        yield group[0][0], group


def _patched(start: int, data: bytes, patches: Iterable[Patch]) -> bytes:
    changed = bytearray(data)
    for at, new in patches:
        begin, stop = max(at, start), min(at + len(new), start + len(data))
        if begin < stop:
            changed[begin - start : stop - start] = new[begin - at : stop - at]
    return bytes(changed)
