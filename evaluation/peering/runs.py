"""All searches of a comparison: many at once on one engine, shared out to processes, kept in a journal.

Law: a search depends on its problem, its seed, its method and its N alone, so that a run that was cut short goes on
where it was and comes to the same numbers, however many processes take part.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from domain.errors import EngineError
from domain.ids import derive_seed
from evaluation.peering.counting import Shared
from evaluation.peering.methods import Sizes, our_methods, peer_methods
from evaluation.peering.task import Beside, Limits, Method, Task, task_for
from evaluation.quality.record import ProblemItem
from evaluation.report import Ticker, say
from orchestrator.known import CHARGING

AT_ONCE = 64
"""Searches that are under way at the same time."""
QUIET_S = 60.0
ROWS = 128
"""Rows of the policy's batch."""


@dataclass(frozen=True, slots=True)
class Plan:
    policy: str
    """Specs as `inference` loads them."""
    verifier: str
    limits: Limits
    sizes: Sizes
    seeds: int
    calibrated: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """One search."""

    method: str
    n: int
    problem: str
    seed: int
    right: bool
    flops: float
    generated_tokens: int
    verified_tokens: int
    calls: int
    verifier_calls: int
    after_end: int
    failed: int


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    method: Method
    n: int
    item: ProblemItem
    seed: int

    @property
    def key(self) -> tuple[str, int, str, int]:
        return self.name, self.n, self.item.id, self.seed


class Journal:
    """Finished searches, one JSON object a line, under a fingerprint of everything that they depend on."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path, self._fingerprint = path, fingerprint

    def read(self) -> list[Run]:
        """A line that was cut by a crash is passed over, and so are those of other settings."""
        if self._path is None or not self._path.is_file():
            return []
        return [run for line in self._path.read_text("utf-8").split("\n") if (run := self._run(line)) is not None]

    def write(self, run: Run) -> None:
        if self._path is not None:
            line = json.dumps({"of": self._fingerprint, **asdict(run)})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _run(self, line: str) -> Run | None:
        try:
            data = json.loads(line)
            return Run(**data) if data.pop("of") == self._fingerprint else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def fingerprint(plan: Plan, policy_id: str, verifier_id: str) -> str:
    """Of what a search's outcome depends on, beside its own job."""
    parts = (policy_id.rpartition("@")[2], verifier_id.rpartition("@")[2], plan.limits, plan.calibrated, CHARGING)
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def collect(plan: Plan, items: Sequence[ProblemItem], workers: int, journal: Path | None) -> list[Run]:
    """Every method at every size on every problem and seed. Raises ConfigurationError or EngineError."""
    if workers == 1:
        return _collect(plan, items, journal, "searches")
    os.environ["OMP_NUM_THREADS"] = "1"  # the children read it before torch does
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        shares = [items[at::workers] for at in range(workers)]
        running = [pool.submit(_collect, plan, share, journal, f"process {at}") for at, share in enumerate(shares, 1)]
        return [run for job in running for run in job.result()]


def _collect(plan: Plan, items: Sequence[ProblemItem], journal: Path | None, name: str) -> list[Run]:
    from inference.engines.factory import load_policy
    from inference.local import LocalPolicy, LocalVerifier
    from inference.verifiers.factory import load_verifier

    policy = LocalPolicy(load_policy(plan.policy, threads=1, device="cpu", rows=ROWS))
    verifier = LocalVerifier(load_verifier(plan.verifier, threads=1, device="cpu"))
    try:
        return asyncio.run(searched(plan, items, policy, verifier, journal, name))
    finally:
        policy.close()
        verifier.close()


def jobs_of(plan: Plan, items: Sequence[ProblemItem]) -> list[Job]:
    """In order of the problems, so that a problem's samples can be forgotten soon."""
    peers, _ = peer_methods()
    named = {**our_methods(), **peers}
    return [
        Job(name, method, n, item, seed)
        for item in items
        for seed in range(plan.seeds)
        for name, method in named.items()
        for n in plan.sizes.of(name in peers)
    ]


async def searched(
    plan: Plan, items: Sequence[ProblemItem], policy: Any, verifier: Any, journal: Path | None, name: str
) -> list[Run]:
    """The runs of these problems on these ports; what the journal holds is not run again."""
    from inference.answers.equivalence import SymbolicEquivalence
    from inference.answers.grade import Grader
    from orchestrator.calibration import calibration_for

    kept = Journal(journal, fingerprint(plan, policy.info.id, verifier.info.id))
    wanted = {job.key: job for job in jobs_of(plan, items)}
    done = {key: run for run in kept.read() if (key := (run.method, run.n, run.problem, run.seed)) in wanted}
    todo = [job for key, job in wanted.items() if key not in done]
    fitted = calibration_for(plan.policy, policy.info.id, verifier.info.id) if plan.calibrated else None
    equivalence = SymbolicEquivalence()
    beside = Beside(equivalence, fitted)
    room = Room(plan, Shared(policy, verifier), beside, Grader(equivalence), kept, Ticker(name, max(1, len(todo))))
    try:
        return [*done.values(), *await room.run(todo)]
    finally:
        await equivalence.close()


class Room:
    """The searches that are under way."""

    def __init__(
        self, plan: Plan, shared: Shared, beside: Beside, grader: Any, journal: Journal, ticker: Ticker
    ) -> None:
        self._plan, self._shared, self._beside = plan, shared, beside
        self._grader, self._journal, self._ticker = grader, journal, ticker
        self._graded: dict[tuple[str, str], bool] = {}
        self._under_way: set[Job] = set()
        self._ended = 0

    async def run(self, jobs: Sequence[Job]) -> list[Run]:
        places = asyncio.Semaphore(AT_ONCE)
        left = Counter(job.item.problem for job in jobs)

        async def placed(job: Job) -> Run:
            async with places:
                self._under_way.add(job)
                run = await self._one(job)
                self._under_way.remove(job)
            self._ended += 1
            left[job.item.problem] -= 1
            if not left[job.item.problem]:
                self._shared.forget(job.item.problem)
            self._journal.write(run)
            self._ticker.tick()
            return run

        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(placed(job)) for job in jobs]
        except ExceptionGroup as group_:
            raise group_.exceptions[0] from None  # the first one is what happened, the others are its consequences
        finally:
            watching.cancel()
        return [one.result() for one in running]

    async def _watch(self) -> None:
        """Say what is under way whenever nothing has ended for a while: on a busy machine a comparison of answers may
        take long, and nobody should have to guess."""
        while True:
            before = self._ended
            await asyncio.sleep(QUIET_S)
            if self._ended == before:
                names = Counter(f"{job.name} {job.n}" for job in self._under_way)
                say(f"nothing has ended for {QUIET_S:.0f} s; under way: {', '.join(sorted(names))}")

    async def _one(self, job: Job) -> Run:
        seed = derive_seed(job.seed, "peers", job.item.id)
        task = task_for(job.item.problem, seed, self._plan.limits, self._shared, self._beside)
        answer = await job.method(task, job.n)
        return _run(job, task, answer is not None and await self._right(job.item.answer, answer))

    async def _right(self, gold: str, answer: str) -> bool:
        if (gold, answer) not in self._graded:
            try:
                self._graded[gold, answer] = await self._grader.grade(gold, answer)
            except TimeoutError:
                raise EngineError(
                    "the process that grades answers did not start in time: go on with --journal"
                ) from None
        return self._graded[gold, answer]


def _run(job: Job, task: Task, right: bool) -> Run:
    bill = task.bill
    return Run(
        method=job.name,
        n=job.n,
        problem=job.item.id,
        seed=job.seed,
        right=right,
        flops=bill.spend.flops,
        generated_tokens=bill.spend.generated_tokens,
        verified_tokens=bill.spend.verified_tokens,
        calls=bill.calls,
        verifier_calls=bill.verifier_calls,
        after_end=bill.after_end,
        failed=bill.failed,
    )


def by_point(runs: Iterable[Run]) -> Mapping[tuple[str, int], list[Run]]:
    """Runs of each method at each N."""
    points: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        points.setdefault((run.method, run.n), []).append(run)
    return points
