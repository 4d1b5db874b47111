"""Answers kept for a POST that makes nothing which could be shown again: the same key gives the same answer.

Law: who begins owns the key until it finishes or drops it, and for `IN_FLIGHT_S` at the longest, so that a process that
dies between the two does not lock its client out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from domain.attempt import Attempt
from storage.database import Database
from storage.idempotency import KEPT_S, in_flight, inserted, read, storable
from storage.json_text import json_text

KIND = "answer"
IN_FLIGHT_S = 90.0

_FINISH = text(
    """
    UPDATE idempotency_keys SET response = CAST(:response AS json),
        expires_at = clock_timestamp() + make_interval(secs => :seconds)
    WHERE tenant_id = :tenant AND key = :key AND response IS NULL
    """
)
_DROP = text("DELETE FROM idempotency_keys WHERE tenant_id = :tenant AND key = :key AND response IS NULL")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    status: int
    media_type: str
    body: str = field(repr=False)


class Answers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, attempt: Attempt, about: str | None) -> KeptAnswer | None:
        """None: go on, then `finish` or `drop`. `about` is the id of the object in the path: erased with it.

        Raises RequestInFlight and IdempotencyConflict.
        """
        values: dict[str, Any] = {
            "tenant": attempt.tenant,
            "key": storable(attempt.key),
            "operation": attempt.operation,
            "hash": attempt.request_hash,
            "kind": KIND,
            "resource": about,
            "seconds": IN_FLIGHT_S,
        }
        async with self._database.transaction() as connection:
            while not await inserted(connection, values):
                earlier = await read(connection, attempt)
                if earlier is not None and earlier.response is None:
                    raise in_flight()
                if earlier is not None:
                    return KeptAnswer(**earlier.response)
        return None

    async def finish(self, attempt: Attempt, answer: KeptAnswer) -> None:
        values = {"tenant": attempt.tenant, "key": attempt.key, "response": json_text(answer), "seconds": KEPT_S}
        async with self._database.transaction() as connection:
            await connection.execute(_FINISH, values)

    async def drop(self, attempt: Attempt) -> None:
        """It came to nothing: the key is free."""
        async with self._database.transaction() as connection:
            await connection.execute(_DROP, {"tenant": attempt.tenant, "key": attempt.key})
