"""Many searches on one loop: claims, fences, drains, stores that go away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from domain.budget import Budget
from domain.errors import Unavailable
from domain.events import JobReleased, JobStopped, JobSubmitted, MoveSettled
from domain.ids import JobId
from domain.job import JobStatus
from domain.moves import Failed, FailureKind
from domain.ports import Claim, JobWrite, Renewal
from domain.problem import text_problem
from domain.specs.parallel import BestOfN, SelfConsistency
from orchestrator.engines import Engines
from orchestrator.host import Host
from tests.support.engines import FakePolicy, FakeStore, FakeVerifier, Quiet, call_key


def submitted(n: int = 4) -> JobSubmitted:
    return JobSubmitted(text_problem("What is 3 * 4?"), BestOfN(n=n), Budget(), None, 7)


@contextlib.asynccontextmanager
async def serving(store: FakeStore, policy: FakePolicy, worker: str = "w") -> AsyncIterator[Host]:
    host = Host(store, Quiet(), Engines(policy, FakeVerifier()), worker=worker, max_jobs=50, lease_s=0.3)
    task = asyncio.create_task(host.serve())
    try:
        yield host
    finally:
        host.drain()
        await asyncio.wait_for(task, 5)


async def until(done: object, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not done():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_jobs_run_side_by_side_and_commit_in_groups() -> None:
    store = FakeStore()
    for index in range(30):
        store.submit(f"j{index}", submitted())
    async with serving(store, FakePolicy(delay_s=0.01)) as host:
        host.ring([])
        await until(lambda: len(store.ended) == 30)
    assert {write.finish.status for write in store.ended.values() if write.finish} == {JobStatus.COMPLETED}
    assert len(store.calls) == 30 * 8
    assert store.commits < 60, "events of many jobs share a transaction"


async def test_no_doorbell_is_needed() -> None:
    store = FakeStore()
    async with serving(store, FakePolicy()):
        await asyncio.sleep(0.05)
        store.submit("late", submitted())
        await until(lambda: store.ended)


async def test_drain_gives_jobs_back_with_what_was_found_and_another_worker_ends_them() -> None:
    store = FakeStore()
    for index in range(5):
        store.submit(f"j{index}", submitted(n=40))
    async with serving(store, FakePolicy(delay_s=0.3)):
        await until(lambda: any(isinstance(event, MoveSettled) for event in store.jobs[JobId("j0")]))
    assert len(store.queued) == 5
    assert all(isinstance(events[-1], JobReleased) for events in store.jobs.values())
    async with serving(store, FakePolicy(), "w2"):
        await until(lambda: len(store.ended) == 5)
    for events in store.jobs.values():
        keys = [event.call_key for event in events if isinstance(event, MoveSettled)]
        assert len(keys) == len(set(keys)) == 80


async def test_a_worker_that_lost_its_lease_stops_and_writes_nothing_more() -> None:
    store, policy = FakeStore(), FakePolicy(delay_s=0.05)
    store.submit("j", submitted(n=200))
    async with serving(store, policy) as host:
        await until(lambda: len(store.jobs[JobId("j")]) > 1)
        store.fences[JobId("j")] += 1
        length = len(store.jobs[JobId("j")])
        await until(lambda: host.running == 0)
        assert len(store.jobs[JobId("j")]) == length
        assert policy.running == 0 or policy.aborted


async def test_cancel_reaches_a_running_job_by_the_bell() -> None:
    store = FakeStore()
    store.submit("j", submitted(n=4))
    async with serving(store, FakePolicy(delay_s=60)) as host:
        await until(lambda: host.running == 1)
        store.cancelled.add(JobId("j"))
        host.ring(["j"])
        await until(lambda: store.ended, 2)
    assert store.ended[JobId("j")].finish.status is JobStatus.CANCELLED  # type: ignore[union-attr]


async def test_a_store_that_goes_away_costs_time_not_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.journal.RETRY_S", (0.01,))
    store, failures = FakeStore(), iter([True] * 5)

    def away() -> None:
        if next(failures, False):
            raise Unavailable("Postgres can't be reached")

    store.before_commit = away
    store.submit("j", submitted())
    async with serving(store, FakePolicy()):
        await until(lambda: store.ended)
    assert len(store.calls) == 8


async def test_a_journal_that_fails_ends_the_host_instead_of_running_on_unheard() -> None:
    def broken() -> None:
        raise RuntimeError("not the store's absence")

    store = FakeStore(before_commit=broken)
    store.submit("j", submitted())
    host = Host(store, Quiet(), Engines(FakePolicy(), FakeVerifier()), worker="w", max_jobs=5, lease_s=0.3)
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(host.serve(), 5)


async def test_a_trace_that_can_not_be_folded_fails_its_job_alone() -> None:
    store = FakeStore()
    store.submit("bad", submitted())
    store.submit("good", submitted())
    store.jobs[JobId("bad")].append(MoveSettled("k", Failed("sample-1", FailureKind.ENGINE, "never asked")))
    async with serving(store, FakePolicy()):
        await until(lambda: len(store.ended) == 2)
    statuses = {job: write.finish.status for job, write in store.ended.items() if write.finish}
    assert statuses == {"bad": JobStatus.FAILED, "good": JobStatus.COMPLETED}


@pytest.mark.parametrize(("fence", "status"), [(11, JobStatus.COMPLETED), (12, JobStatus.FAILED)])
async def test_a_job_that_kills_its_workers_ends(fence: int, status: JobStatus) -> None:
    store = FakeStore()
    store.submit("j", submitted())
    store.fences[JobId("j")] = fence - 1
    async with serving(store, FakePolicy()):
        await until(lambda: store.ended)
    assert store.ended[JobId("j")].finish.status is status  # type: ignore[union-attr]


async def test_an_outage_longer_than_the_lease_costs_no_finished_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database comes back, our own leases have run out, and nobody else took the jobs: they go on."""
    monkeypatch.setattr("orchestrator.host.POLL_S", 0.02)
    monkeypatch.setattr("orchestrator.journal.RETRY_S", (0.1,))
    store, policy = ExpiringStore(), FakePolicy(delay_s=0.05)
    store.submit("j", submitted(n=100))
    async with serving(store, policy):
        await asyncio.sleep(0.1)
        store.away = True
        await asyncio.sleep(0.4)
        store.expired, store.away = [JobId("j")], False
        await until(lambda: store.ended, 20)
    assert store.fences[JobId("j")] == 1, "nobody claimed it again"
    assert len({call_key(call) for call in policy.calls}) == len(policy.calls) == 100


class ExpiringStore(FakeStore):
    """Leases that have run out, as `storage.leases` sees them: anybody may claim them, until their holder renews."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.expired: list[JobId] = []

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")

    async def claim(self, worker: str, limit: int, lease_s: float, reserved: int = 0) -> tuple[Claim, ...]:
        self._check()
        self.queued += self.expired
        self.expired = []
        return await super().claim(worker, limit, lease_s, reserved)

    async def renew(self, worker: str, claims: Sequence[tuple[JobId, int]], lease_s: float) -> Renewal:
        self._check()
        renewal = await super().renew(worker, claims, lease_s)
        self.expired = [job for job in self.expired if job not in renewal.held]
        return renewal

    async def commit(self, writes: Sequence[JobWrite]) -> frozenset[JobId]:
        self._check()
        return await super().commit(writes)


async def test_a_trace_that_no_longer_folds_fails_its_job_once() -> None:
    store = FakeStore()
    store.submit("j", submitted())
    async with serving(store, FakePolicy()):
        await until(lambda: store.ended)
    events = [event for event in store.jobs[JobId("j")] if not isinstance(event, JobStopped)]
    other = JobSubmitted(text_problem("?"), SelfConsistency(n=1), Budget(), None, 8)
    changed = FakeStore(jobs={JobId("j"): [other, *events[1:]]}, fences={JobId("j"): 1}, queued=[JobId("j")])
    async with serving(changed, FakePolicy()):
        await until(lambda: changed.ended)
    end: JobWrite = changed.ended[JobId("j")]
    assert end.finish is not None
    assert end.finish.status is JobStatus.FAILED


async def test_a_defect_of_ours_fails_the_job_with_a_plain_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("".join(["se", "cret prompt"]))

    monkeypatch.setattr("orchestrator.run.final_reason", broken)
    store = FakeStore()
    store.submit("j", submitted())
    async with serving(store, FakePolicy()):
        await until(lambda: store.ended)
    finish = store.ended[JobId("j")].finish
    assert finish is not None
    assert finish.error is not None
    assert finish.status is JobStatus.FAILED
    assert "secret" not in finish.error.message + caplog.text
    assert "RuntimeError" in caplog.text
