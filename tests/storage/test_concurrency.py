"""Workers that claim, die, come back as zombies, commit and release at random: no job is held twice, no work is lost.

Each worker notes what it believes to hold. The laws that are checked: a fence is given to one worker only; fences grow
by one; only the holder's commits are stored; every job ends once; and the events are without gaps.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from domain.ids import JobId, TenantId
from domain.job import JobStatus
from storage.database import Database
from storage.deliveries import Deliveries
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import ending, new_job, progress, scalar

pytestmark = pytest.mark.integration

JOBS, WORKERS = 12, 5
LEASE_S = 0.08
STEPS_TO_END = 6


@dataclass
class World:
    store: PostgresJobStore
    fences: dict[JobId, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Fences in the order in which they were given out."""
    takeovers: int = 0
    rejected: int = 0
    finished: list[JobId] = field(default_factory=list)


@dataclass
class Worker:
    name: str
    world: World
    chance: random.Random
    held: dict[JobId, tuple[int, int]] = field(default_factory=dict)
    """Job → (fence, next sequence number)."""

    async def live(self) -> None:
        deeds = [self.claim, self.commit, self.commit, self.commit, self.renew, self.release, self.sleep]
        while len(self.world.finished) < JOBS:
            await self.chance.choice(deeds)()

    async def claim(self) -> None:
        for claim in await self.world.store.claim(self.name, 2, LEASE_S):
            self.world.takeovers += claim.fence > 1
            self.world.fences[claim.job].append(claim.fence)
            self.held[claim.job] = (claim.fence, len(claim.events))

    async def commit(self) -> None:
        writes = [
            ending(job, fence, seq) if seq > STEPS_TO_END else progress(job, fence, seq)
            for job, (fence, seq) in self.held.items()
        ]
        lost = await self.world.store.commit(writes)
        self.world.rejected += len(lost)
        for write in writes:
            if write.job in lost or write.finish is not None:
                del self.held[write.job]
            else:
                self.held[write.job] = (write.fence, write.first_seq + len(write.events))
            if write.job not in lost and write.finish is not None:
                self.world.finished.append(write.job)

    async def renew(self) -> None:
        renewal = await self.world.store.renew(self.name, self.pairs(), LEASE_S)
        self.held = {job: value for job, value in self.held.items() if job in renewal.held}

    async def release(self) -> None:
        await self.world.store.release(self.name, self.pairs())
        self.held.clear()

    async def sleep(self) -> None:
        """Long enough to become a zombie: the next commit is of leases that others may have taken."""
        await asyncio.sleep(self.chance.choice([0, 0.02, 0.2]))

    def pairs(self) -> list[tuple[JobId, int]]:
        return [(job, fence) for job, (fence, _) in self.held.items()]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_job_is_held_twice_and_none_is_lost(
    seed: int, database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    ids = [
        (await jobs.submit(new_job(tenant, webhook_url="https://example.org/", priority=number % 3)))[0].id
        for number in range(JOBS)
    ]
    world = World(store)
    workers = [Worker(f"w{number}", world, random.Random(f"{seed}/{number}")) for number in range(WORKERS)]
    await asyncio.wait_for(asyncio.gather(*(worker.live() for worker in workers)), 30)

    assert sorted(world.finished) == sorted(ids)
    assert world.takeovers > 0
    for job in ids:
        record = await jobs.get(tenant, job)
        assert record.status is JobStatus.COMPLETED
        assert sorted(world.fences[job]) == list(range(1, record.fence + 1))
        events, _ = await Traces(database).page(tenant, job)
        assert [item.seq for item in events] == list(range(STEPS_TO_END + 2))
    assert await scalar(database, "SELECT count(*) FROM calls") == JOBS * STEPS_TO_END
    assert len(await Deliveries(database).claim_due(100, 60)) == JOBS


async def test_claims_at_the_same_time_share_the_jobs_out(
    jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    ids = {(await jobs.submit(new_job(tenant)))[0].id for _ in range(40)}
    batches = await asyncio.gather(*(store.claim(f"w{number}", 10, 60) for number in range(8)))
    taken = [claim.job for batch in batches for claim in batch]
    rest = await store.claim("last", 40, 60)
    taken += [claim.job for claim in rest]
    assert len(taken) == len(set(taken)) == 40
    assert set(taken) == ids
