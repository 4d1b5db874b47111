"""Many searches on one asyncio loop: claim while there is room, renew the leases, end or give back on the way out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass

from domain.errors import LeaseLost, TraceMismatch, Unavailable
from domain.ids import JobId
from domain.ports import Claim, JobStore, Progress
from domain.verdict import StopReason
from orchestrator.engines import Engines
from orchestrator.journal import Journal
from orchestrator.poison import refuse_deadly
from orchestrator.run import Run, fail
from orchestrator.sharing import Sharing

log = logging.getLogger(__name__)

POLL_S = 1.0
"""How often queued and lease-expired jobs are looked for without a doorbell: Redis may be flushed at any time."""

PACE_S = 0.05
"""From one look to the next at least: where jobs come many times a second, one look finds several. A lone job is looked
for at once."""

AWAKE_S = 0.5
"""After a ring it goes on looking for this long, so that who rings need not ring again for each job that comes."""

RESERVED_PART = 8
"""One slot in this many is for tenants that run little, so that nobody waits for the end of another's long jobs."""


@dataclass(frozen=True, slots=True)
class _Held:
    run: Run
    fence: int
    task: asyncio.Task[None]


class Host:
    """The orchestrator process's heart. `serve` runs until `drain`."""

    def __init__(
        self,
        store: JobStore,
        progress: Progress,
        engines: Engines | Sharing,
        *,
        worker: str,
        max_jobs: int,
        lease_s: float,
    ) -> None:
        self._store, self._worker = store, worker
        self._sharing = engines if isinstance(engines, Sharing) else Sharing(engines)
        self._max_jobs, self._lease_s = max_jobs, lease_s
        self._reserved = max_jobs // RESERVED_PART
        self._journal = Journal(store, progress, self._lost)
        self._held: dict[JobId, _Held] = {}
        self._bell, self._renewal = asyncio.Event(), asyncio.Event()
        self._draining = False
        self._renewed_at = float("-inf")
        self._failing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return len(self._held)

    def ring(self, jobs: Iterable[str]) -> None:
        """There may be work. A ring for a job that runs here means that its user wants something of it (to cancel)."""
        self._bell.set()
        if any(job in self._held for job in jobs):
            self._renewal.set()

    async def serve(self) -> None:
        """Claim and run jobs until `drain`; then give back what has not ended, with all that was found so far."""
        keepers = [asyncio.create_task(self._journal.serve()), asyncio.create_task(self._renew_leases())]
        try:
            await _unless_failed(self._claim_jobs(), keepers)
            await _unless_failed(self._release_all(), keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    def drain(self) -> None:
        """Make `serve` stop claiming, release and return."""
        self._draining = True
        self._bell.set()

    async def _claim_jobs(self) -> None:
        loop = asyncio.get_running_loop()
        awake_until = float("-inf")
        while not self._draining:
            looked_at = loop.time()
            if self._bell.is_set():
                awake_until = looked_at + AWAKE_S
                self._bell.clear()
            if not await self._claim() and looked_at >= awake_until:
                await _set_within(self._bell, POLL_S)
            await asyncio.sleep(max(0.0, looked_at + PACE_S - loop.time()))

    async def _claim(self) -> bool:
        room = self._max_jobs - len(self._held)
        if room <= 0 or not await self._leases_are_fresh():
            return False
        try:
            claims = await self._store.claim(self._worker, room, self._lease_s, self._reserved)
        except Unavailable as error:
            log.warning("can't claim: %s", error.message)
            return False
        for claim in claims:
            self._begin(claim)
        # Fewer than there was room for all: another worker may have held the rest for a moment, so look again.
        return 0 < len(claims) < room - self._reserved

    async def _leases_are_fresh(self) -> bool:
        """After an outage our leases may have run out: extend those that nobody took, before we take them ourselves."""
        if self._held and self._since_renewal() > self._lease_s / 2:
            await self._renew()
        return not self._held or self._since_renewal() <= self._lease_s / 2

    def _since_renewal(self) -> float:
        return asyncio.get_running_loop().time() - self._renewed_at

    def _begin(self, claim: Claim) -> None:
        earlier = self._held.get(claim.job)
        if earlier is not None:
            self._lost(claim.job, earlier.fence)
        job_log = self._journal.open(claim)
        try:
            refuse_deadly(claim)
            run = Run(claim, self._worker, self._sharing.engines_for(claim), job_log)
        except Exception as error:
            # Whatever it is, it concerns this job alone: raised here, it would end this process, and the next one.
            why = error.message if isinstance(error, TraceMismatch) else f"its trace can't be read ({_name(error)})"
            log.error("job %s can't be resumed: %s", claim.job, why)
            self._failing.add(task := asyncio.create_task(fail(job_log, claim, why)))
            task.add_done_callback(self._failing.discard)
            return
        self._held[claim.job] = _Held(run, claim.fence, asyncio.create_task(self._run(run, claim)))
        if claim.fence > 1:
            # Its user may have asked to cancel it while nobody held it.
            self._renewal.set()

    async def _run(self, run: Run, claim: Claim) -> None:
        try:
            await run.run()
        except LeaseLost:
            log.warning("job %s: its lease was lost, abandoned", claim.job)
        except Exception as error:
            # The type and the place only: the text of an error may hold a prompt.
            place = "".join(traceback.format_tb(error.__traceback__))
            log.error("job %s: the search failed by a defect of ours: %s\n%s", claim.job, _name(error), place)
            with contextlib.suppress(LeaseLost):
                await run.fail("The search failed by a defect of ours, which is now in our log.")
        finally:
            run.abandon()
            if len(self._held) >= self._max_jobs - self._reserved:
                self._bell.set()
            held = self._held.get(claim.job)
            if held is not None and held.run is run:
                del self._held[claim.job]

    async def _renew_leases(self) -> None:
        while True:
            await _set_within(self._renewal, self._lease_s / 3)
            self._renewal.clear()
            if self._held:
                await self._renew()

    async def _renew(self) -> None:
        claims = [(job, held.fence) for job, held in self._held.items()]
        try:
            renewal = await self._store.renew(self._worker, claims, self._lease_s)
        except Unavailable as error:
            log.warning("can't renew leases: %s", error.message)
            return
        self._renewed_at = asyncio.get_running_loop().time()
        for job, fence in claims:
            if job not in renewal.held:
                self._lost(job, fence)
            elif job in renewal.cancelled and job in self._held:
                self._held[job].run.stop(StopReason.CANCELLED)

    def _lost(self, job: JobId, fence: int) -> None:
        """Stop working on a job that this worker no longer holds. A job that has ended just now is not held either."""
        held = self._held.get(job)
        if held is None or held.fence != fence or held.run.ending:
            return
        del self._held[job]
        held.run.abandon()
        held.task.cancel()

    async def _release_all(self) -> None:
        """Let those that are at their end end; stop the others, write their events, and only then release them."""
        held = dict(self._held)
        stopped = {job: one for job, one in held.items() if not one.run.ending}
        for one in stopped.values():
            one.task.cancel()
        await asyncio.gather(*(one.task for one in held.values()), *self._failing, return_exceptions=True)
        for one in stopped.values():
            one.run.release()
        await self._journal.flush()
        claims = [(job, one.fence) for job, one in stopped.items()]
        if claims:
            await self._store.release(self._worker, claims)
        log.info("drained: %d jobs given back", len(claims))


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _unless_failed(work: Coroutine[None, None, None], keepers: Sequence[asyncio.Task[None]]) -> None:
    """Do the work, or raise what a keeper raised: a host that stores nothing, or renews nothing, must not go on."""
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait([task, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        task.cancel()


def _name(error: Exception) -> str:
    return type(error).__name__
