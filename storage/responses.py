"""Responses and chat completions: views of jobs, stored with them in one transaction and gone with them.

Law: a response has one job and no state of its own; its id is the job's with another prefix. What is shown of an ended
job follows from its trace, so that storing it twice is storing it once. Every query is scoped by tenant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import IdempotencyConflict
from domain.ids import JobId, TenantId, is_id
from domain.ports import NewJob
from storage.database import Database
from storage.erasure import BATCH, erase_jobs
from storage.response_records import (
    RESPONSE,
    NewResponse,
    ResponseRecord,
    response_id,
    response_record,
    response_row,
    select_response,
    unknown_response,
)
from storage.submission import submit
from storage.tables import responses

_ATTACH = text(
    "UPDATE responses SET attachments = attachments + 1 WHERE id = :id AND tenant_id = :tenant RETURNING attachments"
)
_LATEST = text(
    "SELECT job_id FROM responses WHERE id = :id AND tenant_id = :tenant AND attachments = :attachment FOR UPDATE"
)
_OF_JOB = text("SELECT id FROM responses WHERE job_id = :job AND endpoint = :endpoint")
_NOT_STORED = text(
    f"""
    SELECT responses.job_id FROM responses JOIN jobs ON jobs.id = responses.job_id WHERE NOT responses.stored
        AND jobs.ended_at < clock_timestamp() - make_interval(secs => :age)
    LIMIT {BATCH} FOR UPDATE OF jobs SKIP LOCKED
    """
)


class Responses:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, job: NewJob, new: NewResponse) -> tuple[ResponseRecord, bool]:
        """Store both; True: an earlier request had stored them. Raises what `Jobs.submit` raises, and
        IdempotencyConflict when the key belongs to a request to another endpoint."""
        async with self._database.transaction() as connection:
            stored, replay = await submit(connection, job)
            if replay:
                response = (await connection.execute(_OF_JOB, {"job": stored, "endpoint": new.endpoint})).scalar()
                if response is None:
                    raise IdempotencyConflict(
                        "this Idempotency-Key was used before at another address: send a new key",
                        param="Idempotency-Key",
                    )
            else:
                response = response_id(new.endpoint, stored)
                await connection.execute(insert(responses).values(response_row(response, job, new)))
            return await _read(connection, job.tenant, response), replay

    async def get(self, tenant: TenantId, response: str) -> ResponseRecord:
        """A response that was to be stored. Raises NotFound."""
        if not is_id(RESPONSE, response):
            raise unknown_response()
        async with self._database.transaction() as connection:
            record = await _read(connection, tenant, response)
        if not record.stored:
            raise unknown_response()
        return record

    async def attach(self, tenant: TenantId, response: str) -> int:
        """A caller begins to wait; gives their number. Raises NotFound."""
        async with self._database.transaction() as connection:
            number: int | None = (await connection.execute(_ATTACH, {"id": response, "tenant": tenant})).scalar()
        if number is None:
            raise unknown_response()
        return number

    async def left_alone(self, tenant: TenantId, response: str, attachment: int) -> JobId | None:
        """The job, when nobody has begun to wait after this caller."""
        values = {"id": response, "tenant": tenant, "attachment": attachment}
        async with self._database.transaction() as connection:
            job: str | None = (await connection.execute(_LATEST, values)).scalar()
        return None if job is None else JobId(job)

    async def show(self, record: ResponseRecord, shown: Sequence[Mapping[str, Any]]) -> None:
        """Keep what the trace of an ended job gave."""
        statement = responses.update().where(
            responses.c.id == record.id, responses.c.tenant_id == record.job.tenant, responses.c.shown.is_(None)
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement.values(shown=list(shown)))

    async def purge_unstored(self, older_than_s: float) -> int:
        """Erase the jobs of responses that were not to be stored and ended this long ago; gives their number."""
        async with self._database.transaction() as connection:
            ids = [row.job_id for row in await connection.execute(_NOT_STORED, {"age": older_than_s})]
            await erase_jobs(connection, ids)
        return len(ids)


async def _read(connection: AsyncConnection, tenant: TenantId, response: str) -> ResponseRecord:
    row = (await connection.execute(select_response(tenant, response))).mappings().first()
    if row is None:
        raise unknown_response()
    return response_record(row)
