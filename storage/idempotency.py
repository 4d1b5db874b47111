"""Idempotency: one request, however often it is made, makes one thing.

Laws:
* Who inserts the row of an Idempotency-Key owns the key for 24 hours. A second request waits on the row until the first
  has committed; when that takes long it is told to come again (409).
* A client that repeats a request without a key (the SDK's own retries) says only that it does. What the first attempt
  made is then found by what it asked for: each thing was made by one attempt 0, and answers one retry of each number.
* The row is written in the transaction that makes the thing: both are there, or neither.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.errors import IdempotencyConflict, InvalidRequest, RequestInFlight
from storage.database import Database

KEPT_S = 24 * 3600.0
RETRIED_WITHIN_MINUTES = 60
"""The SDK gives up on an answer after ten minutes, and asks twice more."""
PATIENCE_MS = 5_000
"""How long a request waits for the first one with its key."""
AGAIN_MS = 50
MAX_KEY_CHARS = 255

_PATIENCE = text(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
_NO_PATIENCE = text("SET LOCAL lock_timeout = 0")
_TAKE = text(
    """
    INSERT INTO idempotency_keys AS kept (tenant_id, key, operation, request_hash, kind, resource_id, expires_at)
    VALUES (:tenant, :key, :operation, :hash, :kind, :resource,
        clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (tenant_id, key) DO UPDATE
    SET operation = excluded.operation, request_hash = excluded.request_hash, kind = excluded.kind,
        resource_id = excluded.resource_id, response = NULL, created_at = excluded.created_at,
        expires_at = excluded.expires_at
    WHERE kept.expires_at <= clock_timestamp()
    RETURNING key
    """
)
_READ = text(
    "SELECT operation, request_hash, resource_id, response FROM idempotency_keys"
    " WHERE tenant_id = :tenant AND key = :key"
)
# First attempts share the lock, so that equal requests never wait for each other; a retry waits for them all. It asks
# again and again instead of standing in the lock's queue, where first attempts that come later would stand behind it.
_REMEMBER = text(
    """
    INSERT INTO recent_requests (tenant_id, fingerprint, kind, resource_id)
    SELECT :tenant, :fingerprint, :kind, :resource FROM (SELECT pg_advisory_xact_lock_shared(:lock)) AS locked
    """
)
_NOBODY_IS_FIRST = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = text(
    f"""
    UPDATE recent_requests SET retries = :retry WHERE id = (
        SELECT id FROM recent_requests
        WHERE tenant_id = :tenant AND fingerprint = :fingerprint AND kind = :kind AND retries < :retry
            AND created_at > clock_timestamp() - interval '{RETRIED_WITHIN_MINUTES} minutes'
        ORDER BY retries DESC, created_at, id LIMIT 1
    ) RETURNING resource_id
    """
)
_FORGET_KEYS = text("DELETE FROM idempotency_keys WHERE resource_id = ANY(CAST(:ids AS text[]))")
_FORGET_REQUESTS = text("DELETE FROM recent_requests WHERE resource_id = ANY(CAST(:ids AS text[]))")
_PURGE_KEYS = text("DELETE FROM idempotency_keys WHERE expires_at <= clock_timestamp()")
_PURGE_REQUESTS = text(
    f"DELETE FROM recent_requests WHERE created_at <= clock_timestamp() - interval '{RETRIED_WITHIN_MINUTES} minutes'"
)


async def take(connection: AsyncConnection, attempt: Attempt, kind: str, resource_id: str) -> str | None:
    """None: make the thing, under this id and in this transaction. Else the id of what an earlier attempt made.

    Raises IdempotencyConflict (the key belongs to another request) and RequestInFlight.
    """
    if attempt.key is not None:
        return await _take_key(connection, attempt, kind, resource_id)
    values = {
        "tenant": attempt.tenant,
        "fingerprint": fingerprint_of(attempt),
        "lock": lock_of(attempt),
        "kind": kind,
        "resource": resource_id,
        "retry": attempt.retry,
    }
    if attempt.retry:
        await _first_attempts_are_over(connection, values)
        earlier = (await connection.execute(_FIND, values)).scalar()
        if earlier is not None:
            return str(earlier)
    await connection.execute(_REMEMBER, values)
    return None


async def _first_attempts_are_over(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Raises RequestInFlight when they take too long."""
    for _ in range(PATIENCE_MS // AGAIN_MS):
        if (await connection.execute(_NOBODY_IS_FIRST, values)).scalar():
            return
        await asyncio.sleep(AGAIN_MS / 1000)
    raise RequestInFlight("the first attempt at this request is still being answered: try again in a second")


async def forget(connection: AsyncConnection, resource_ids: Sequence[str]) -> None:
    """These things are erased: nothing leads to them any more, and no hash of what was asked is kept."""
    await connection.execute(_FORGET_KEYS, {"ids": list(resource_ids)})
    await connection.execute(_FORGET_REQUESTS, {"ids": list(resource_ids)})


async def purge_keys(database: Database) -> int:
    """Delete the keys and requests that are too old (for the sweeper); gives the number of keys."""
    async with database.transaction() as connection:
        await connection.execute(_PURGE_REQUESTS)
        return (await connection.execute(_PURGE_KEYS)).rowcount


async def _take_key(connection: AsyncConnection, attempt: Attempt, kind: str, resource_id: str) -> str | None:
    values = {
        "tenant": attempt.tenant,
        "key": storable(attempt.key),
        "operation": attempt.operation,
        "hash": attempt.request_hash,
        "kind": kind,
        "resource": resource_id,
        "seconds": KEPT_S,
    }
    while not await inserted(connection, values):
        earlier = await read(connection, attempt)
        if earlier is not None:
            return str(earlier.resource_id)
        # Purged between the two statements: the key is free.
    return None


async def inserted(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Whether the key is now this request's. Raises RequestInFlight when somebody holds it for too long."""
    await connection.execute(_PATIENCE)
    try:
        taken = (await connection.execute(_TAKE, values)).first() is not None
    except LockNotAvailable:
        raise in_flight() from None
    await connection.execute(_NO_PATIENCE)
    return taken


async def read(connection: AsyncConnection, attempt: Attempt) -> Row[Any] | None:
    """What the earlier request with this key led to. Raises IdempotencyConflict when that was another request."""
    row = (await connection.execute(_READ, {"tenant": attempt.tenant, "key": attempt.key})).first()
    if row is not None and (row.operation, row.request_hash) != (attempt.operation, attempt.request_hash):
        raise IdempotencyConflict(
            "this Idempotency-Key was used before with another body: send a new key", param="Idempotency-Key"
        )
    return row


def in_flight() -> RequestInFlight:
    return RequestInFlight(
        "the first request with this Idempotency-Key is still being answered: try again in a second",
        param="Idempotency-Key",
    )


def storable(key: str | None) -> str:
    if key is None or len(key) > MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"Idempotency-Key must be at most {MAX_KEY_CHARS} printable ASCII characters", param="Idempotency-Key"
        )
    return key


def fingerprint_of(attempt: Attempt) -> bytes:
    """Equal for attempts that ask for the same."""
    return hashlib.sha256(f"{attempt.operation}\x1f{attempt.request_hash}".encode()).digest()


def lock_of(attempt: Attempt) -> int:
    """A number of 63 bits for this tenant and this request; two that meet by chance only wait for each other."""
    digest = hashlib.blake2b(attempt.tenant.encode(), key=fingerprint_of(attempt), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
