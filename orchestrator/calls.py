"""The calls of one search: reserve, dispatch, settle, abort.

Law: every call that was dispatched is settled exactly once, with what it cost; between the two its reservation stands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import NamedTuple

from domain.budget import NO_COST, Spend
from domain.moves import Failed, FailureKind, Move, Outcome, Sample, Score
from domain.verdict import StopReason
from orchestrator.attempts import Attempts, Call
from orchestrator.engines import Engines
from orchestrator.estimate import MIN_GRANT_TOKENS, affordable_tokens, sample_bound, score_bound
from orchestrator.known import Known
from orchestrator.ledger import Ledger

ABORT_S = 2.0
"""How long an aborted call may take to say what it cost; after that its reservation is charged."""


class Settled(NamedTuple):
    """A call that has ended and is paid."""

    call: Call
    outcome: Outcome


class Calls:
    """Moves wait here until the budget has room for them, then run as tasks that report to one inbox."""

    def __init__(self, job: str, problem: str, engines: Engines, ledger: Ledger) -> None:
        self._job, self._problem = job, problem
        self._engines, self._ledger = engines, ledger
        self._attempts = Attempts(problem, engines, ledger)
        self._waiting: deque[Move] = deque()
        self._tasks: dict[str, tuple[Call, asyncio.Task[None]]] = {}
        self._inbox: asyncio.Queue[Settled | None] = asyncio.Queue()
        self.interruption: StopReason | None = None
        """A reason to stop that came from outside; nothing new is begun then."""

    @property
    def known(self) -> Known:
        """What this search has had read; a resumed one is told of the calls in its trace."""
        return self._attempts.known

    @property
    def running(self) -> int:
        return len(self._tasks)

    def queue(self, moves: tuple[Move, ...]) -> None:
        # Scores go first: they are cheap, and they are what lets a search stop early.
        self._waiting.extendleft(move for move in reversed(moves) if isinstance(move, Score))
        self._waiting.extend(move for move in moves if isinstance(move, Sample))

    def dispatch(self) -> StopReason | None:
        """Start waiting moves in order while they fit the budget; else the unit that the next one lacks."""
        while self._waiting:
            lacking = self._start(self._waiting[0])
            if lacking is not None:
                return lacking
            self._waiting.popleft()
        return None

    def interrupt(self, reason: StopReason) -> None:
        """Note a reason to stop, and wake `news`. The first one stands."""
        self.interruption = self.interruption or reason
        self._inbox.put_nowait(None)

    async def news(self) -> list[Settled]:
        """Wait until something happens; every call that has ended by then."""
        items = [await self._inbox.get(), *self._drained()]
        return [self._settle(item) for item in items if item is not None]

    async def wind_down(self) -> list[Settled]:
        """Abort what still runs. What it cost is charged; what it says is not used, so that the verdict stands."""
        self._attempts.stopping.set()
        self._engines.abort(self._tasks)
        calls = [call for call, _ in self._tasks.values()]
        if calls:
            await asyncio.wait([task for _, task in self._tasks.values()], timeout=ABORT_S)
        ended = {item.call.key: item.outcome for item in self._drained() if item is not None}
        self.abandon()
        return [self._settle(_unused(call, ended.get(call.key))) for call in calls]

    def abandon(self) -> None:
        """Drop everything without settling it."""
        self._engines.abort(self._tasks)
        for _, task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._waiting.clear()

    def _drained(self) -> list[Settled | None]:
        return [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]

    def _start(self, move: Move) -> StopReason | None:
        grant, estimate = self._estimate(move)
        lacking = self._ledger.lacking(estimate)
        if lacking is not None:
            return lacking
        call = Call(move, self._engines.key(self._job, move), estimate, grant)
        self._ledger.reserve(call.key, estimate)
        self._tasks[call.key] = (call, asyncio.create_task(self._perform(call)))
        return None

    def _estimate(self, move: Move) -> tuple[int, Spend]:
        """The granted tokens and the reservation. A grant is cut only when no refund is to come any more."""
        policy, verifier = self._engines.policy.info, self._engines.verifier
        if isinstance(move, Score):
            bound = NO_COST if verifier is None else score_bound(move, self._problem, verifier.info)
            return move.max_tokens, bound
        grant = move.max_tokens
        if not self._tasks:
            affordable = affordable_tokens(move, self._problem, policy, self._ledger)
            if affordable >= min(MIN_GRANT_TOKENS, grant):
                grant = affordable
        return grant, sample_bound(move, self._problem, policy, grant)

    async def _perform(self, call: Call) -> None:
        try:
            outcome = await self._attempts.run(call)
        except Exception as error:
            # A defect in an adapter must not leave the search waiting for ever; the text of it may hold a prompt.
            outcome = Failed(call.move.id, FailureKind.ENGINE, f"{type(error).__name__} in the engine's adapter")
        self._inbox.put_nowait(Settled(call, outcome))

    def _settle(self, ended: Settled) -> Settled:
        self._tasks.pop(ended.call.key, None)
        self._ledger.settle(ended.call.key, ended.outcome.cost)
        return ended


def _unused(call: Call, outcome: Outcome | None) -> Settled:
    """What a call comes to that ended after the search had stopped, or did not end in time."""
    cost = call.estimate if outcome is None else outcome.cost
    message = "aborted: the search had stopped"
    if outcome is None:
        message += "; the engine did not say what it cost, so its reservation is charged"
    if isinstance(outcome, Failed):
        return Settled(call, replace(outcome, kind=FailureKind.ABORTED))
    return Settled(call, Failed(call.move.id, FailureKind.ABORTED, message, cost))
