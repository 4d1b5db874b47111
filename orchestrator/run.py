"""One job's search, from its stored events to its end.

    resume → ask → reserve → dispatch → settle → tell → record → stop?

The same loop serves the service, the evaluation on one machine, and `deliberate solve`: it knows engines and a recorder
only by their ports. What it records can be folded back to the same state at any point.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Protocol

from domain.budget import NO_COST, Spend
from domain.calibration import needed_by
from domain.errors import EngineError
from domain.events import Event, JobClaimed, JobReleased, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.ids import JobId
from domain.job import JobError, JobStatus
from domain.moves import Failed, Outcome, Sample, Sampled
from domain.ports import CallRecord, Claim, Finish
from domain.verdict import StopReason, Verdict, status_after
from orchestrator.calls import Calls, Settled
from orchestrator.engines import Engines
from orchestrator.ledger import Ledger
from search.replay import Search, fold, issued, step
from search.stopping import early_stop, final_reason

log = logging.getLogger(__name__)

WINDOW = 32
"""Moves that one search has in flight at most."""

WINDOW_WITH_TARGET = 8
"""Fewer when a confidence was asked for: what is in flight when it is reached was sampled for nothing."""


class Recorder(Protocol):
    """Where a run's events go, in order."""

    def record(self, events: tuple[Event, ...], calls: tuple[CallRecord, ...], spend: Spend) -> None:
        """Take these in at once; they become durable soon after (a crash before that repeats the calls)."""
        ...

    async def finish(self, event: JobStopped, finish: Finish) -> None:
        """Returns when the end and all that was recorded before it are durable. Raises LeaseLost."""
        ...


BEFORE_DEADLINE_S = 0.3
"""The end must be stored by the deadline: calls are aborted and the verdict is made this long before it."""

LOOK_SHARE = 64
"""With a confidence asked for, the verdict is looked at after each 1/64 more outcomes, and after each one at first."""

ENGINES_FAILED = "Every engine call failed: the trace has each call's error. Submit again later."


async def fail(recorder: Recorder, claim: Claim, message: str, spent: Spend | None = None) -> None:
    """End a job as failed without asking its strategy anything, since that may be what is broken."""
    if spent is None:
        spent = sum((event.outcome.cost for event in claim.events if isinstance(event, MoveSettled)), NO_COST)
    reason, verdict = StopReason.INTERNAL_ERROR, Verdict(None, 0.0, None, "The search failed.")
    error = JobError(reason.value, message)
    stopped = JobStopped(JobStatus.FAILED, reason, verdict, spent, message)
    await recorder.finish(stopped, Finish(JobStatus.FAILED, reason, verdict, error))


class Run:
    """Owns one search while this worker holds the job. `run` is awaited once; the other methods may interrupt it."""

    def __init__(self, claim: Claim, worker: str, engines: Engines, recorder: Recorder) -> None:
        submitted = claim.events[0]
        assert isinstance(submitted, JobSubmitted)
        self.job: JobId = claim.job
        self._submitted, self._claim, self._worker = submitted, claim, worker
        self._engines, self._recorder = engines, recorder
        self._window = WINDOW if submitted.confidence is None else WINDOW_WITH_TARGET
        self._ledger = Ledger(submitted.budget)
        self._calls = Calls(claim.job, submitted.problem.text, engines, self._ledger)
        self._settled = self._failed = self._look_again_at = 0
        self._answer_keys: set[str] = set()
        self.ending = False
        """True once the end is being stored: from then on it must not be interrupted."""
        self._search = self._resumed(claim.events)

    async def run(self) -> None:
        """Search until there is a reason to stop, then store the end. Engine failures never raise here."""
        claimed = self._claimed()
        self._search = self._search.claimed(claimed.calibration)
        self._record(claimed)
        timer = self._start_clock()
        try:
            reason = await self._until_stopped()
        finally:
            if timer is not None:
                timer.cancel()
        self.ending = True
        self._take_in(await self._calls.wind_down())
        await self._finish(reason)

    def stop(self, reason: StopReason) -> None:
        """End the search at its next step, whatever it is waiting for."""
        self._calls.interrupt(reason)

    def abandon(self) -> None:
        """Drop all calls in flight without a word: the job is somebody else's now."""
        self._calls.abandon()

    def release(self) -> None:
        """Give the job back: its moves in flight stay in flight in its state, for the next worker to repeat."""
        self._calls.abandon()
        self._record(JobReleased(self._worker, self._claim.fence))

    async def fail(self, message: str) -> None:
        """Store that the job failed by a defect of ours; `message` is for its user."""
        self.ending = True
        await fail(self._recorder, self._claim, message, self._ledger.spent)

    async def _finish(self, reason: StopReason) -> None:
        status, verdict = status_after(reason), self._search.verdict()
        error = JobError(reason.value, ENGINES_FAILED) if status is JobStatus.FAILED else None
        stopped = JobStopped(status, reason, verdict, self._ledger.spent, None if error is None else error.message)
        await self._recorder.finish(stopped, Finish(status, reason, verdict, error))

    def _resumed(self, events: tuple[Event, ...]) -> Search:
        """The search after these events; what it has spent, counted and had read is taken in on the way."""
        search = fold(events[:1])
        for event in events[1:]:
            if isinstance(event, MoveSettled):
                move = next((move for move in search.in_flight if move.id == event.outcome.move_id), None)
                if move is not None:
                    self._calls.known.told(move, event.outcome)
                self._ledger.settle(event.call_key, event.outcome.cost)
                self._count(event.outcome)
            search = step(search, event)
        self._calls.queue(search.in_flight)
        return search

    def _claimed(self) -> JobClaimed:
        verifier = self._engines.verifier
        verifier_id = None if verifier is None else verifier.info.id
        # A calibration that came in the middle would change what was decided before: it holds from the start or not.
        calibration = self._engines.calibration if len(self._claim.events) == 1 else None
        if calibration is not None:
            calibration = needed_by(calibration, self._submitted.strategy.name)
        return JobClaimed(self._worker, self._claim.fence, self._engines.policy.info.id, verifier_id, calibration)

    def _start_clock(self) -> asyncio.TimerHandle | None:
        """Whichever comes first ends the search: its seconds are spent, or its deadline is near."""
        seconds, deadline_s = self._submitted.budget.seconds, self._claim.deadline_s
        ends = []
        if seconds is not None:
            ends.append((max(0.0, seconds - self._claim.started_s), StopReason.BUDGET_SECONDS))
        if deadline_s is not None:
            ends.append((max(0.0, deadline_s - min(BEFORE_DEADLINE_S, deadline_s / 10)), StopReason.DEADLINE))
        if not ends:
            return None
        left, reason = min(ends)
        if left == 0.0:
            self.stop(reason)
        return asyncio.get_running_loop().call_later(left, self.stop, reason)

    async def _until_stopped(self) -> StopReason:
        while (reason := self._calls.interruption or self._early_stop()) is None:
            self._ask()
            lacking = self._calls.dispatch()
            if not self._calls.running:
                return lacking if lacking is not None else self._nothing_left()
            for one in await self._calls.news():
                self._take_in([await self._equated(one)])
        return reason

    def _early_stop(self) -> StopReason | None:
        """A verdict reads all solutions, so that with many of them it is asked for less often than after each one."""
        if self._submitted.confidence is None or self._settled < self._look_again_at:
            return None
        self._look_again_at = self._settled + 1 + self._settled // LOOK_SHARE
        return early_stop(self._search.verdict(), self._submitted.confidence)

    def _ask(self) -> None:
        room = self._window - len(self._search.in_flight)
        if room <= 0:
            return
        self._search, moves = self._search.ask(room)
        if moves:
            self._record(MovesIssued(room, tuple(map(issued, moves))))
            self._calls.queue(moves)

    def _take_in(self, settled: list[Settled]) -> None:
        for one in settled:
            self._search = self._search.tell(one.outcome)
            self._count(one.outcome)
            self._record(MoveSettled(one.call.key, one.outcome), self._call_record(one))

    def _call_record(self, one: Settled) -> CallRecord:
        kind = "sample" if isinstance(one.call.move, Sample) else "score"
        return CallRecord(one.call.key, kind, self._engines.model_id(one.call.move), one.outcome.cost)

    def _count(self, outcome: Outcome) -> None:
        self._settled += 1
        self._failed += isinstance(outcome, Failed)
        if isinstance(outcome, Sampled) and outcome.answer is not None:
            self._answer_keys.add(outcome.answer.key)

    async def _equated(self, one: Settled) -> Settled:
        """Ask once for each new answer which of the earlier ones it equals; the finding becomes part of the trace.

        Without a comparison (it can't be made, or there is no time for it) answers are compared exactly only.
        """
        outcome, equivalence = one.outcome, self._engines.equivalence
        if equivalence is None or not isinstance(outcome, Sampled) or outcome.answer is None:
            return one
        if self._calls.interruption is not None:
            return one
        key, others = outcome.answer.key, sorted(self._answer_keys - {outcome.answer.key})
        if key in self._answer_keys or not others:
            return one
        try:
            same = await equivalence.equivalent(key, others)
        except (EngineError, OSError, TimeoutError) as error:
            log.warning("answers of %s are compared exactly only: %s", self.job, type(error).__name__)
            return one
        return one._replace(outcome=replace(outcome, equivalent=same)) if same else one

    def _nothing_left(self) -> StopReason:
        verdict = self._search.verdict()
        return final_reason(verdict, self._submitted.confidence, settled=self._settled, failed=self._failed)

    def _record(self, event: Event, *calls: CallRecord) -> None:
        self._recorder.record((event,), calls, self._ledger.spent)
