"""Files as their owner sees them: bytes in chunks of at most 256 KiB, so that nobody ever holds a whole one.

Laws: a file is invisible until its upload has ended; a part of a file is read by its place alone; what is read and
written is scoped by tenant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import RowMapping, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.errors import InvalidRequest, NotFound
from domain.ids import TenantId, is_id
from storage.audit import SERVICE, note
from storage.database import Database
from storage.fresh_ids import fresh_id
from storage.idempotency import forget, take
from storage.tables import CHUNK_BYTES, files

KIND = "file"
"""What an idempotency key that led to a file leads to."""
MAX_PAGE = 10_000
INPUT_PURPOSE, OUTPUT_PURPOSE = "batch", "batch_output"
ABANDONED_HOURS = 24
"""An upload that has not ended by then was broken off."""

_ADD = text(
    "INSERT INTO files (id, tenant_id, filename, purpose, status, expires_at) VALUES (:id, :tenant, :filename,"
    " :purpose, :status, clock_timestamp() + make_interval(secs => CAST(:expires_s AS float8)))"
)
_CHUNK = text("INSERT INTO file_chunks (file_id, start, data) VALUES (:file, :start, :data)")
_SEAL = text(
    "UPDATE files SET status = 'processed', filename = :filename, purpose = :purpose, bytes = :bytes, lines = :lines,"
    " expires_at = clock_timestamp() + make_interval(secs => CAST(:expires_s AS float8))"
    " WHERE id = :id AND tenant_id = :tenant"
)
_GROW = text(
    "UPDATE files SET bytes = bytes + :bytes, lines = lines + :lines WHERE id = :id RETURNING bytes - :bytes AS start"
)
# No chunk is longer than CHUNK_BYTES: one that begins earlier than that can't reach the range.
_RANGE = text(
    f"SELECT start, data FROM file_chunks WHERE file_id = :file AND start < :stop AND start > :begin - {CHUNK_BYTES}"
    " ORDER BY start"
)
_IN_USE = text(
    "SELECT id FROM batches WHERE input_file_id = :id AND status IN"
    " ('validating', 'in_progress', 'finalizing', 'cancelling') UNION ALL"
    " SELECT id FROM batches WHERE (output_file_id = :id OR error_file_id = :id) AND status IN"
    " ('in_progress', 'finalizing', 'cancelling') LIMIT 1"
)
_PURGE = text(
    f"DELETE FROM files WHERE expires_at <= statement_timestamp() OR status = 'uploading'"
    f" AND created_at < statement_timestamp() - interval '{ABANDONED_HOURS} hours'"
)


@dataclass(frozen=True, slots=True)
class FileRecord:
    id: str
    filename: str = field(repr=False)
    purpose: str
    bytes: int
    lines: int
    created_at: datetime
    expires_at: datetime | None


class Files:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, tenant: TenantId) -> FileWriter:
        """A new file, invisible until `FileWriter.seal`. Raises Unavailable."""
        file_id = fresh_id("file")
        async with self._database.transaction() as connection:
            values = {"id": file_id, "tenant": tenant, "filename": "", "purpose": "", "status": "uploading"}
            await connection.execute(_ADD, {**values, "expires_s": None})
        return FileWriter(self._database, tenant, file_id)

    async def get(self, tenant: TenantId, file_id: str) -> FileRecord:
        """Raises NotFound."""
        async with self._database.transaction() as connection:
            return await read_file(connection, tenant, file_id)

    async def page(
        self, tenant: TenantId, *, purpose: str | None, after: str | None, limit: int, ascending: bool
    ) -> tuple[list[FileRecord], bool]:
        """At most `limit` files beyond `after`, and whether there are more."""
        if after is not None and not is_id("file", after):
            raise InvalidRequest("after must be the id of a file of the page before", param="after")
        limit = max(1, min(limit, MAX_PAGE))
        query = select(files).where(files.c.tenant_id == tenant, files.c.status == "processed").limit(limit + 1)
        query = query.order_by(files.c.id if ascending else files.c.id.desc())
        if purpose is not None:
            query = query.where(files.c.purpose == purpose)
        if after is not None:
            query = query.where(files.c.id > after if ascending else files.c.id < after)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_record(row) for row in rows[:limit]], len(rows) > limit

    async def delete(self, tenant: TenantId, file_id: str, actor: str = SERVICE) -> None:
        """Raises NotFound; InvalidRequest while a batch reads or writes it."""
        async with self._database.transaction() as connection:
            await read_file(connection, tenant, file_id)
            batch = (await connection.execute(_IN_USE, {"id": file_id})).scalar()
            if batch is not None:
                raise InvalidRequest(f"the file is in use by {batch}: cancel that batch, or wait for its end")
            await note(connection, actor, "file.deleted", tenant, file_id)
            await forget(connection, [file_id])
            await connection.execute(delete(files).where(files.c.id == file_id, files.c.tenant_id == tenant))

    async def read(self, tenant: TenantId, file_id: str, begin: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from `begin` to before `stop`, a chunk at a time, each in a transaction of its own."""
        while begin < stop:
            async with self._database.transaction() as connection:
                await read_file(connection, tenant, file_id)
                part = await read_range(connection, file_id, begin, min(stop, begin + CHUNK_BYTES))
            if not part:
                return
            yield part
            begin += len(part)

    async def purge(self) -> int:
        """Delete what has expired and uploads that were broken off (for the sweeper); gives their number."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_PURGE)).rowcount


class FileWriter:
    """Takes bytes as they come and stores them chunk by chunk; holds one chunk at most."""

    def __init__(self, database: Database, tenant: TenantId, file_id: str) -> None:
        self._database, self._tenant, self.id = database, tenant, file_id
        self._buffer = bytearray()
        self._stored = 0
        self._line_breaks = 0
        self._last = b"\n"

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._stored + len(self._buffer)

    @property
    def lines(self) -> int:
        """Lines so far, the last one also without a line break."""
        return self._line_breaks + (self._last != b"\n")

    async def write(self, data: bytes) -> None:
        """Raises Unavailable."""
        if not data:
            return
        self._buffer += data
        self._line_breaks += data.count(b"\n")
        self._last = data[-1:]
        while len(self._buffer) >= CHUNK_BYTES:
            await self._flush(CHUNK_BYTES)

    async def seal(
        self, filename: str, purpose: str, expires_s: int | None, attempt: Attempt | None = None
    ) -> str | None:
        """The file is whole: from now on it can be seen. Else the id of the file that an earlier attempt has made;
        then this one is to be discarded. Raises IdempotencyConflict, RequestInFlight."""
        await self._flush(len(self._buffer))
        values = {"id": self.id, "tenant": self._tenant, "filename": filename, "purpose": purpose}
        sizes = {"bytes": self._stored, "lines": self.lines, "expires_s": expires_s}
        async with self._database.transaction() as connection:
            earlier = None if attempt is None else await take(connection, attempt, KIND, self.id)
            if earlier is None:
                await connection.execute(_SEAL, values | sizes)
        return earlier

    async def discard(self) -> None:
        """Leave nothing of it."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(files).where(files.c.id == self.id))

    async def _flush(self, size: int) -> None:
        if not size:
            return
        data = bytes(self._buffer[:size])
        async with self._database.transaction() as connection:
            await connection.execute(_CHUNK, {"file": self.id, "start": self._stored, "data": data})
        del self._buffer[:size]
        self._stored += size


async def add_output(connection: AsyncConnection, tenant: str, filename: str, expires_s: int | None) -> str:
    """A new empty file that grows by `append`."""
    values = {"id": fresh_id("file"), "tenant": tenant, "filename": filename, "purpose": OUTPUT_PURPOSE}
    await connection.execute(_ADD, {**values, "status": "processed", "expires_s": expires_s})
    return values["id"]


async def append(connection: AsyncConnection, file_id: str, data: bytes) -> int:
    """Add whole lines to the end; gives where they begin. The file's row is locked until the transaction ends."""
    values = {"id": file_id, "bytes": len(data), "lines": data.count(b"\n")}
    start = (await connection.execute(_GROW, values)).scalar()
    if start is None:
        return 0  # its owner has deleted it
    parts = [
        {"file": file_id, "start": start + at, "data": data[at : at + CHUNK_BYTES]}
        for at in range(0, len(data), CHUNK_BYTES)
    ]
    await connection.execute(_CHUNK, parts)
    return int(start)


async def read_range(connection: AsyncConnection, file_id: str, begin: int, stop: int) -> bytes:
    """The bytes from `begin` to before `stop` (less at the end of the file). The caller bounds their number."""
    rows = await connection.execute(_RANGE, {"file": file_id, "begin": begin, "stop": stop})
    return b"".join(bytes(row.data)[max(0, begin - row.start) : stop - row.start] for row in rows)


async def read_file(connection: AsyncConnection, tenant: TenantId, file_id: str) -> FileRecord:
    """Raises NotFound."""
    if is_id("file", file_id):
        query = select(files).where(files.c.id == file_id, files.c.tenant_id == tenant, files.c.status == "processed")
        row = (await connection.execute(query)).mappings().first()
        if row is not None:
            return _record(row)
    raise NotFound("no such file: check its id")


def _record(row: RowMapping) -> FileRecord:
    names = ("id", "filename", "purpose", "bytes", "lines", "created_at", "expires_at")
    return FileRecord(*(row[name] for name in names))
