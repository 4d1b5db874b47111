"""A batch of recorded problems under one budget: even shares, or bought action by action at one price of compute.

Law: both spend what their searches cost, the probe and verification included; neither goes over the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.budget import Budget
from domain.calibration import Calibration
from domain.events import JobSubmitted
from domain.moves import Move
from domain.problem import text_problem
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import BestOfN
from evaluation.calibration_fit.playback import UNIT, Recording, play
from evaluation.calibration_fit.traces import GradedProblem
from search.adaptive import offer
from search.allocation import Batch, Offer, buy, pay
from search.replay import Search, begin


@dataclass(frozen=True, slots=True)
class Result:
    """Of a whole batch."""

    accuracy: float
    cost: float
    """Mean, in costs of one plain sample of a problem."""
    rights: tuple[bool, ...]
    """One for each problem, in order."""
    price: float = 0.0
    """Where the price of compute ended."""


@dataclass
class _Player:
    """One problem's adaptive search, advanced one bought action at a time."""

    recording: Recording
    search: Search

    def advance(self) -> float:
        """Ask and answer until the next decision is due; what it cost."""
        spent = 0.0
        pending: list[Move] = []
        while True:
            if not pending and spent > 0 and offer(self.search.state) is not None:
                return spent
            self.search, moves = self.search.ask(1)
            pending += moves
            if not pending:
                return spent
            outcome = self.recording.answer(pending.pop(0))
            spent += outcome.cost.flops / UNIT
            self.search = self.search.tell(outcome)

    @property
    def right(self) -> bool:
        return self.search.verdict().answer in self.recording.right

    def offer(self) -> Offer | None:
        return offer(self.search.state)


def allocated(
    problems: Sequence[GradedProblem], calibration: Calibration, budget: float, *, order: int = 0, most: int = 64
) -> Result:
    """One `budget` (in costs of one plain sample) for all problems."""
    players = [_player(problem, calibration, order, most) for problem in problems]
    batch = Batch(budget)
    for number, player in enumerate(players):
        batch = pay(batch, number, player.advance())
    offers: dict[int, Any] = {number: player.offer() for number, player in enumerate(players)}
    while True:
        batch, bought = buy(batch, {number: one for number, one in offers.items() if one is not None}, 1)
        if not bought:
            break
        number = bought[0]
        cost = players[number].advance()
        batch = pay(batch, number, cost)
        # A search that was paid for and asked nothing has ended by itself (its guard has tripped).
        offers[number] = players[number].offer() if cost > 0 else None
    rights = tuple(player.right for player in players)
    return Result(sum(rights) / len(rights), batch.spent / len(problems), rights, batch.price)


def even(problems: Sequence[GradedProblem], calibration: Calibration, n: int, *, order: int = 0) -> Result:
    """Best-of-n weighted on each problem alike."""
    played = [play(one, BestOfN(n=n), calibration, order=order, score_cost=calibration.score_cost) for one in problems]
    rights = tuple(one.right for one in played)
    return Result(sum(rights) / len(rights), sum(one.cost for one in played) / len(played), rights)


def _player(problem: GradedProblem, calibration: Calibration, order: int, most: int) -> _Player:
    # The batch's price decides, not the search's own; so its own is nothing, and no certainty ends it.
    spec = Adaptive(n=min(most, len(problem.samples)), probe=1, price=0.0, confidence=1.0)
    submitted = JobSubmitted(text_problem(problem.id), spec, Budget(), None, order)
    recording = Recording(problem, order, calibration.score_cost)
    return _Player(recording, begin(submitted).claimed(replace(calibration, choices=())))
