"""The law of `domain.job` as CHECK constraints: no statement, however wrong, gets a job into an impossible state."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint

from domain.ids import TenantId
from domain.job import FINAL, JobStatus
from domain.verdict import StopReason, status_after
from storage import tables
from storage.database import Database
from storage.failures import StatementRefused
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from tests.support.jobs import ending, new_job, run_sql

pytestmark = pytest.mark.integration

CLAIMED = "status = 'in_progress', lease_owner = 'w', lease_expires_at = now(), fence = 1, started_at = now()"
ENDED = "status = 'completed', stop_reason = 'complete', verdict = '{}', confidence = 1, ended_at = now()"

BROKEN = [
    ("status", "status = 'sleeping'"),
    ("lease_while_in_progress", "lease_owner = 'w', lease_expires_at = now()"),
    ("lease_while_in_progress", "status = 'in_progress', fence = 1, started_at = now()"),
    ("lease_while_in_progress", f"{ENDED}, lease_owner = 'w', lease_expires_at = now()"),
    ("lease_has_an_end", f"{CLAIMED}, lease_expires_at = NULL"),
    ("fence", "fence = -1"),
    ("fence", "fence = 1"),
    ("in_progress_was_claimed", "status = 'in_progress', lease_owner = 'w', lease_expires_at = now()"),
    ("final_has_ended_at", "ended_at = now()"),
    ("final_has_ended_at", f"{ENDED}, ended_at = NULL"),
    ("final_has_stop_reason", f"{ENDED}, stop_reason = NULL"),
    ("final_has_verdict", f"{ENDED}, verdict = NULL"),
    ("final_has_confidence", f"{ENDED}, confidence = NULL"),
    ("stop_reason", f"{ENDED}, stop_reason = 'cancelled'"),
    ("stop_reason", f"{ENDED}, stop_reason = 'boredom'"),
    ("failed_has_error", f"{ENDED}, status = 'failed', stop_reason = 'engine_failed'"),
    ("failed_has_error", f"{ENDED}, error = '{{}}'"),
    ("confidence_range", f"{ENDED}, confidence = 1.01"),
    ("confidence_range", f"{ENDED}, confidence = 'NaN'"),
    ("confidence_target_range", "confidence_target = -0.1"),
    ("announces", "announces = 'loudly'"),
    ("priority_range", "priority = 101"),
    ("budget_positive", "budget_tokens = 0"),
    ("budget_positive", "budget_seconds = -1"),
    ("amounts", "generated_tokens = -1"),
    ("amounts", "flops = 'Infinity'"),
    ("amounts", "flops = 'NaN'"),
]


def _set(assignments: str) -> str:
    """Later assignments win, so that a case is a legal state and the one thing that breaks it."""
    pairs = [part.split(" = ", 1) for part in assignments.split(", ")]
    return ", ".join(f"{column} = {value}" for column, value in dict(pairs).items())


async def test_every_check_refuses_what_it_is_there_for(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    for name, assignments in BROKEN:
        with pytest.raises(StatementRefused, match=f"constraint ck_jobs_{name}$"):
            await run_sql(database, f"UPDATE jobs SET {_set(assignments)}")
    assert (await jobs.get(tenant, job.id)).status is JobStatus.QUEUED


def test_every_check_of_a_job_has_a_case_above() -> None:
    checks = {str(item.name) for item in tables.jobs.constraints if isinstance(item, CheckConstraint)}
    assert checks == {f"ck_jobs_{name}" for name, _ in BROKEN}


async def test_the_legal_states_pass(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    await jobs.submit(new_job(tenant))
    for assignments in (CLAIMED, f"{ENDED}, lease_owner = NULL, lease_expires_at = NULL"):
        await run_sql(database, f"UPDATE jobs SET {_set(assignments)}")


async def test_other_tables_refuse_nonsense_too(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    for statement in (
        "INSERT INTO events (job_id, seq, body) VALUES (:job, -1, '{}')",
        "INSERT INTO events (job_id, seq, body) VALUES ('job_x', 0, '{}')",
        "INSERT INTO calls (key, job_id, kind, model, flops) VALUES ('k', :job, 'sample', 'm', -1)",
        "INSERT INTO outbox (topic, key) VALUES ('gossip', :job)",
        "INSERT INTO webhook_deliveries (id, tenant_id, job_id, url, body, state)"
        " SELECT 'whd_1', tenant_id, id, 'http://x', '', 'delivered' FROM jobs WHERE id = :job",
        "INSERT INTO api_keys (id, tenant_id, label, secret_hash) SELECT 'k', tenant_id, '', 'short' FROM jobs"
        " WHERE id = :job",
    ):
        with pytest.raises(StatementRefused):
            await run_sql(database, statement, job=job.id)


@pytest.mark.parametrize("reason", list(StopReason))
async def test_every_stop_reason_can_be_stored(
    reason: StopReason, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 60)
    assert await store.commit([ending(job.id, claim.fence, 1, reason)]) == frozenset()
    record = await jobs.get(tenant, job.id)
    assert (record.stop_reason, record.status) == (reason, status_after(reason))
    assert record.status in FINAL
