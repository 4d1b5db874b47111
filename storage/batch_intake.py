"""Reading a batch's file: line by line, a bounded part in each transaction, from where the last one ended.

Law: the rows of a part and the place behind it are stored together: a reader that dies might as well not have begun.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch import MAX_LINE_BYTES, OnInvalidLine
from domain.batch_lines import Line, LineFault, duplicate, read_line, too_long
from domain.dialects import Dialects
from storage.announcing import Announcement, announce
from storage.batch_source import MOST_BYTES
from storage.files import read_range

LINES_AT_ONCE = 1000
NO_LINES = LineFault("empty_file", "The input file has no lines.")
NO_FILE = LineFault("file_deleted", "The input file was deleted before all of it was read.")
ALL_BAD = LineFault("no_valid_line", "No line of the input file can be run; see the errors by line.")
ONE_BAD = LineFault("invalid_lines", "The batch fails because of its invalid lines (on_invalid_line is 'fail').")

_SIZE = text("SELECT bytes FROM files WHERE id = :file")
_GOOD = text(
    """
    INSERT INTO batch_lines (batch_id, line, custom_id, start, bytes)
    SELECT :batch, * FROM unnest(CAST(:lines AS int[]), CAST(:ids AS text[]), CAST(:starts AS bigint[]),
        CAST(:sizes AS bigint[]))
    ON CONFLICT (batch_id, custom_id) WHERE fault IS NULL DO NOTHING RETURNING line
    """
)
_BAD = text(
    """
    INSERT INTO batch_lines (batch_id, line, custom_id, start, bytes, state, ok, fault, invalid)
    SELECT :batch, line, id, start, bytes, 'ended', false, fault::json, true
    FROM unnest(CAST(:lines AS int[]), CAST(:ids AS text[]), CAST(:starts AS bigint[]), CAST(:sizes AS bigint[]),
        CAST(:faults AS text[])) AS bad (line, id, start, bytes, fault)
    """
)
_ADVANCE = text(
    """
    UPDATE batches SET read_bytes = :read, total = total + :lines, failed = failed + :bad, invalid = invalid + :bad
    WHERE id = :batch AND status = 'validating' RETURNING id
    """
)
_COUNTS = text("SELECT total, invalid FROM batches WHERE id = :batch")
_BEGIN = text(
    "UPDATE batches SET status = 'in_progress', in_progress_at = clock_timestamp()"
    " WHERE id = :batch AND status = 'validating'"
)
_FAIL = text(
    "UPDATE batches SET status = 'failed', failed_at = clock_timestamp(), fault = CAST(:fault AS json)"
    " WHERE id = :batch AND status = 'validating' RETURNING clock_timestamp() AS now"
)


class Stopped(Exception):
    """The batch was cancelled or paused meanwhile: the transaction is to be rolled back."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One line as it stands in the file."""

    line: int
    start: int
    bytes: int
    found: Line | LineFault


async def read_part(connection: AsyncConnection, batch: RowMapping, dialects: Dialects) -> None:
    """Read and store the next lines of a batch that is validated; at the end of the file it begins, or fails.

    Raises Stopped.
    """
    size = (await connection.execute(_SIZE, {"file": batch["input_file_id"]})).scalar()
    begin = batch["read_bytes"]
    data = await read_range(connection, batch["input_file_id"], begin, begin + MOST_BYTES)
    if size is None or (not data and begin < size):
        await _fail(connection, batch, NO_FILE)
        return
    places, behind = _lines(data, begin, size)
    if behind is None:  # one line fills the window: it is too long, and its end is somewhere behind
        places, behind = places[:1], await _next_line(connection, batch["input_file_id"], begin + len(data), size)
    read = [_read(batch, dialects, data, begin, at, place) for at, place in enumerate(places)]
    await _store(connection, batch, read, behind)
    if behind >= size:
        await _decide(connection, batch)


def _lines(data: bytes, begin: int, size: int) -> tuple[list[tuple[int, int]], int | None]:
    """Places (start, bytes) of the whole lines in `data`, and where the next one starts; None: there is no end yet."""
    places: list[tuple[int, int]] = []
    at = 0
    while at < len(data) and len(places) < LINES_AT_ONCE:
        end = data.find(b"\n", at)
        if end < 0:
            break
        places.append((begin + at, end - at))
        at = end + 1
    if at < len(data) and len(places) < LINES_AT_ONCE:
        if begin + len(data) >= size:  # the last line has no line break
            places.append((begin + at, len(data) - at))
            at = len(data)
        elif not places:
            return [(begin, len(data))], None
    return places, begin + at


async def _next_line(connection: AsyncConnection, file_id: str, at: int, size: int) -> int:
    while at < size:
        data = await read_range(connection, file_id, at, at + MOST_BYTES)
        end = data.find(b"\n")
        if end >= 0 or not data:
            return at + end + 1 if data else size
        at += len(data)
    return size


def _read(batch: RowMapping, dialects: Dialects, data: bytes, begin: int, at: int, place: tuple[int, int]) -> _Read:
    start, size = place
    number = batch["total"] + 1 + at
    raw = data[start - begin : start - begin + size].rstrip(b"\r")
    found = too_long() if size > MAX_LINE_BYTES else _parsed(batch, dialects, raw, number)
    return _Read(number, start, size, found)


def _parsed(batch: RowMapping, dialects: Dialects, raw: bytes, number: int) -> Line | LineFault:
    return read_line(raw, number, batch["endpoint"], batch["defaults"], dialects)


async def _store(connection: AsyncConnection, batch: RowMapping, read: Sequence[_Read], behind: int) -> None:
    good = [one for one in read if isinstance(one.found, Line)]
    kept = await _insert_good(connection, batch["id"], good)
    bad = [one for one in read if one.line not in kept]
    await _insert_bad(connection, batch["id"], bad)
    values = {"batch": batch["id"], "read": behind, "lines": len(read), "bad": len(bad)}
    if (await connection.execute(_ADVANCE, values)).first() is None:
        raise Stopped


async def _insert_good(connection: AsyncConnection, batch: str, good: Sequence[_Read]) -> set[int]:
    """The numbers of those that were stored: a custom_id that an earlier line has is not."""
    if not good:
        return set()
    ids = [one.found.custom_id for one in good]
    rows = await connection.execute(_GOOD, {"batch": batch, "ids": ids, **_places(good)})
    return {row.line for row in rows}


async def _insert_bad(connection: AsyncConnection, batch: str, bad: Sequence[_Read]) -> None:
    if not bad:
        return
    faults = [one.found if isinstance(one.found, LineFault) else duplicate(one.found.custom_id) for one in bad]
    values = {"batch": batch, "ids": [fault.custom_id for fault in faults], **_places(bad)}
    await connection.execute(_BAD, values | {"faults": [fault_text(fault) for fault in faults]})


def _places(read: Sequence[_Read]) -> dict[str, list[int]]:
    return {
        "lines": [one.line for one in read],
        "starts": [one.start for one in read],
        "sizes": [one.bytes for one in read],
    }


def fault_text(fault: LineFault) -> str:
    """As it is stored."""
    return json.dumps({"code": fault.code, "message": fault.message, "param": fault.param, "status": fault.status})


async def _decide(connection: AsyncConnection, batch: RowMapping) -> None:
    """All lines are read."""
    row = (await connection.execute(_COUNTS, {"batch": batch["id"]})).one()
    if row.total == 0:
        await _fail(connection, batch, NO_LINES)
    elif row.invalid == row.total:
        await _fail(connection, batch, ALL_BAD)
    elif row.invalid and batch["on_invalid_line"] == OnInvalidLine.FAIL:
        await _fail(connection, batch, ONE_BAD)
    else:
        await connection.execute(_BEGIN, {"batch": batch["id"]})


async def _fail(connection: AsyncConnection, batch: RowMapping, fault: LineFault) -> None:
    row = (await connection.execute(_FAIL, {"batch": batch["id"], "fault": fault_text(fault)})).first()
    if row is not None:
        await announce(connection, [Announcement(batch["tenant_id"], "batch.failed", {"id": batch["id"]})], row.now)
