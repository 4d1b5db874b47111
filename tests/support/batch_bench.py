"""A batch and the two processes that work on it, played by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domain.batch import NATIVE, parse_batch
from domain.dialects import Dialects
from domain.facade.models import Catalogue
from domain.ids import TenantId
from domain.settings import Settings
from domain.verdict import StopReason
from storage.batch_work import BatchWork
from storage.batches import Batches, BatchRecord
from storage.database import Database
from storage.files import Files
from storage.leases import PostgresJobStore
from tests.support.jobs import ending

DIALECTS = Dialects(Catalogue(Settings(Path())))


class Bench:
    """A batch and the two processes that work on it, played by hand."""

    def __init__(self, database: Database, tenant: TenantId, window: int = 4) -> None:
        self.database, self.tenant = database, tenant
        self.batches, self.files = Batches(database), Files(database)
        self.work, self.store = BatchWork(database, DIALECTS, window), PostgresJobStore(database)
        self.id = ""

    async def upload(self, data: bytes) -> str:
        writer = await self.files.begin(self.tenant)
        await writer.write(data)
        await writer.seal("in.jsonl", "batch", None)
        return writer.id

    async def create(self, lines: list[Any] | bytes, endpoint: str = NATIVE, **body: Any) -> BatchRecord:
        data = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        request = parse_batch({"input_file_id": await self.upload(data), **body}, endpoint)
        batch, _ = await self.batches.create(self.tenant, request)
        self.id = batch.id
        return batch

    async def turns(self, most: int = 50) -> BatchRecord:
        for _ in range(most):
            if not await self.work.turn(self.id):
                break
        return await self.now()

    async def now(self) -> BatchRecord:
        return await self.batches.get(self.tenant, self.id)

    async def finish_jobs(self, limit: int = 100, reason: StopReason = StopReason.COMPLETE) -> list[str]:
        claims = await self.store.claim("w", limit, 30.0)
        writes = [ending(claim.job, claim.fence, len(claim.events), reason) for claim in claims]
        assert await self.store.commit(writes) == frozenset()
        return [claim.job for claim in claims]

    async def to_end(self) -> BatchRecord:
        for _ in range(50):
            batch = await self.turns()
            if batch.final:
                return batch
            await self.finish_jobs()
        raise AssertionError(f"the batch does not end: {await self.now()}")

    async def lines_of(self, file_id: str | None) -> list[dict[str, Any]]:
        if file_id is None:
            return []
        record = await self.files.get(self.tenant, file_id)
        data = b"".join([part async for part in self.files.read(self.tenant, file_id, 0, record.bytes)])
        assert data.count(b"\n") == record.lines
        return [json.loads(line) for line in data.splitlines()]


def problems(count: int) -> list[dict[str, Any]]:
    return [{"id": f"p{number}", "problem": f"What is {number} + 1?", "level": 3} for number in range(count)]
