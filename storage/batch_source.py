"""The text of lines, read from the input file by their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.files import read_range

MOST_BYTES = 2 * 1024 * 1024
"""Of the file in memory at once; more than the longest line."""


@dataclass(frozen=True, slots=True)
class Place:
    line: int
    start: int
    bytes: int


def within_reach(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """The first rows (by place in the file) that can be read at once; at least one."""
    first = rows[0].start
    return [row for row in rows if row.start + row.bytes - first <= MOST_BYTES] or rows[:1]


async def texts(connection: AsyncConnection, file_id: str, rows: Sequence[Row[Any]]) -> list[bytes | None]:
    """The bytes of each line; None where the file is gone. The rows are `within_reach`."""
    begin, stop = rows[0].start, max(row.start + row.bytes for row in rows)
    data = await read_range(connection, file_id, begin, stop)
    if len(data) < stop - begin:
        return [None] * len(rows)
    return [data[row.start - begin : row.start - begin + row.bytes] for row in rows]
