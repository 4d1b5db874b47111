"""Requests that come more than once: keys, the SDK's retries without a key, first attempts that are not done yet."""

from __future__ import annotations

import asyncio

import pytest

from domain.attempt import Attempt
from domain.errors import IdempotencyConflict, RequestInFlight
from domain.ids import TenantId
from storage import idempotency
from storage.answers import Answers, KeptAnswer
from storage.database import Database
from storage.idempotency import forget, purge_keys, take
from storage.keys import Keys
from tests.support.jobs import keyed, run_sql, scalar

pytestmark = pytest.mark.integration


def attempt(tenant: TenantId, retry: int = 0, body: str = "b") -> Attempt:
    return Attempt(tenant, "POST /v1/responses", body, None, retry)


async def made(database: Database, one: Attempt, new_id: str, kind: str = "response") -> str:
    """The id of what this attempt leads to."""
    async with database.transaction() as connection:
        return await take(connection, one, kind, new_id) or new_id


async def test_retries_lead_to_what_the_first_attempt_made(database: Database, tenant: TenantId) -> None:
    assert [await made(database, attempt(tenant, retry), f"r{retry}") for retry in (0, 1, 2)] == ["r0", "r0", "r0"]


async def test_equal_requests_are_not_taken_for_retries(database: Database, tenant: TenantId) -> None:
    """Who samples one prompt many times wants many answers, and each of its requests has retries of its own."""
    assert [await made(database, attempt(tenant), f"r{number}") for number in range(3)] == ["r0", "r1", "r2"]
    assert sorted([await made(database, attempt(tenant, 1), f"n{number}") for number in range(4)]) == [
        "n3", "r0", "r1", "r2",
    ]  # fmt: skip


async def test_a_retry_whose_first_attempt_never_came_makes_one_thing(database: Database, tenant: TenantId) -> None:
    assert await made(database, attempt(tenant, 1), "r1") == "r1"
    assert await made(database, attempt(tenant, 2), "r2") == "r1"


@pytest.mark.parametrize("other", ["body", "operation", "tenant", "kind", "time"])
async def test_retries_find_nothing_that_is_not_theirs(other: str, database: Database, tenant: TenantId) -> None:
    await made(database, attempt(tenant), "r0")
    stranger = await Keys(database).ensure_tenant("stranger")
    if other == "time":
        await run_sql(database, "UPDATE recent_requests SET created_at = now() - interval '61 minutes'")
    again = {
        "body": attempt(tenant, 1, "other"),
        "operation": Attempt(tenant, "POST /v1/files", "b", None, 1),
        "tenant": attempt(stranger, 1),
    }.get(other, attempt(tenant, 1))
    assert await made(database, again, "r1", "file" if other == "kind" else "response") == "r1"


async def test_a_retry_waits_for_a_first_attempt_that_is_not_stored_yet(database: Database, tenant: TenantId) -> None:
    async with database.transaction() as connection:
        assert await take(connection, attempt(tenant), "response", "r0") is None
        retrying = asyncio.create_task(made(database, attempt(tenant, 1), "r1"))
        await asyncio.sleep(0.1)  # it has asked for the lock by now
        others = await asyncio.wait_for(made(database, attempt(tenant), "r2"), 2)
        await asyncio.sleep(0.05)
        assert not retrying.done(), "it waits"
        assert others == "r2", "other first attempts do not"
    assert await asyncio.wait_for(retrying, 5) in ("r0", "r2")


async def test_a_retry_is_told_to_come_again_when_the_first_attempt_takes_long(
    database: Database, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE_MS", 100)
    async with database.transaction() as connection:
        await take(connection, attempt(tenant), "response", "r0")
        with pytest.raises(RequestInFlight, match="first attempt"):
            await made(database, attempt(tenant, 1), "r1")
    assert await made(database, attempt(tenant, 2), "r2") == "r0"


async def test_an_attempt_that_failed_leaves_nothing_to_find(database: Database, tenant: TenantId) -> None:
    async def failing() -> None:
        async with database.transaction() as connection:
            await take(connection, attempt(tenant), "response", "r0")
            raise KeyError("r0")

    with pytest.raises(KeyError):
        await failing()
    assert await made(database, attempt(tenant, 1), "r1") == "r1"


async def test_a_key_leads_to_things_of_any_kind(database: Database, tenant: TenantId) -> None:
    one = Attempt(tenant, "POST /v1/files", "digest", "k")
    assert [await made(database, one, name, "file") for name in ("file_1", "file_2")] == ["file_1", "file_1"]
    with pytest.raises(IdempotencyConflict):
        await made(database, Attempt(tenant, "POST /v1/batches", "digest", "k"), "batch_1", "batch")
    with pytest.raises(IdempotencyConflict):
        await made(database, Attempt(tenant, "POST /v1/files", "other", "k"), "file_3", "file")


async def test_who_waits_too_long_for_a_key_is_told_to_come_again(
    database: Database, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import text

    monkeypatch.setattr("storage.idempotency._PATIENCE", text("SET LOCAL lock_timeout = 50"))
    async with database.transaction() as connection:
        assert await take(connection, keyed(tenant), "job", "j0") is None
        with pytest.raises(RequestInFlight):
            await made(database, keyed(tenant), "j1", "job")
    assert await made(database, keyed(tenant), "j2", "job") == "j0"


async def test_what_is_erased_is_found_no_more(database: Database, tenant: TenantId) -> None:
    await made(database, keyed(tenant), "j0")
    await made(database, attempt(tenant), "j0")
    async with database.transaction() as connection:
        await forget(connection, ["j0"])
    assert await made(database, keyed(tenant), "j1") == "j1"
    assert await made(database, attempt(tenant, 1), "j2") == "j2"


async def test_old_requests_are_purged(database: Database, tenant: TenantId) -> None:
    await made(database, attempt(tenant), "old")
    await run_sql(database, "UPDATE recent_requests SET created_at = now() - interval '2 hours'")
    await made(database, attempt(tenant), "new")
    await purge_keys(database)
    assert await scalar(database, "SELECT string_agg(resource_id, ',') FROM recent_requests") == "new"


class TestKeptAnswers:
    ANSWER = KeptAnswer(201, "application/json", '{"secret": "é"}')

    async def test_the_same_answer_comes_again(self, database: Database, tenant: TenantId) -> None:
        answers = Answers(database)
        assert await answers.begin(keyed(tenant), "whe_1") is None
        with pytest.raises(RequestInFlight):
            await answers.begin(keyed(tenant), "whe_1")
        await answers.finish(keyed(tenant), self.ANSWER)
        assert await answers.begin(keyed(tenant), "whe_1") == self.ANSWER
        with pytest.raises(IdempotencyConflict):
            await answers.begin(keyed(tenant, request_hash="other"), "whe_1")

    async def test_what_came_to_nothing_frees_the_key(self, database: Database, tenant: TenantId) -> None:
        answers = Answers(database)
        await answers.begin(keyed(tenant), None)
        await answers.drop(keyed(tenant))
        assert await answers.begin(keyed(tenant, request_hash="other"), None) is None

    async def test_a_process_that_died_locks_nobody_out(self, database: Database, tenant: TenantId) -> None:
        answers = Answers(database)
        await answers.begin(keyed(tenant), None)
        await run_sql(database, "UPDATE idempotency_keys SET expires_at = now() - interval '1 s'")
        assert await answers.begin(keyed(tenant), None) is None
