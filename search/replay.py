"""A search bound to its strategy, and the fold that rebuilds it from its stored events.

Law: `fold(events)` gives the state that the search had when the last of them was written. The moves that a strategy
asked are not trusted to the trace but asked again and compared, so that a changed strategy is found out at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from domain.calibration import Calibration
from domain.errors import TraceMismatch
from domain.events import Event, IssuedMove, JobClaimed, JobSubmitted, MoveSettled, MovesIssued
from domain.moves import Move, Outcome, Sample
from domain.verdict import Verdict
from search.confidence import calibrated, family_of
from search.guidance import Guidance, guided
from search.registry import strategy_for
from search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Search:
    """A strategy and its state: what the shell holds of a running job."""

    strategy: Strategy[Any, Any]
    state: Any
    submitted: JobSubmitted
    calibration: Calibration | None = None
    """What was fitted for the models that this search runs on; the first claim brings it."""

    @property
    def in_flight(self) -> tuple[Move, ...]:
        moves: tuple[Move, ...] = self.state.in_flight
        return moves

    def ask(self, limit: int) -> tuple[Search, tuple[Move, ...]]:
        state, moves = self.strategy.ask(self.state, limit)
        return replace(self, state=state), moves

    def tell(self, outcome: Outcome) -> Search:
        return replace(self, state=self.strategy.tell(self.state, outcome))

    def verdict(self) -> Verdict:
        """The strategy's verdict, with a fitted confidence where there is one for this kind of search."""
        verdict = self.strategy.verdict(self.state)
        if self.calibration is None or verdict.evidence is None:
            return verdict
        spec = self.submitted.strategy
        family = family_of(spec.name, verdict.evidence, getattr(spec, "selection", None))
        return calibrated(verdict, family, self.calibration)

    def claimed(self, calibration: Calibration | None) -> Search:
        """The search after a worker took it; a later claim's calibration changes nothing."""
        if calibration is None or self.calibration is not None:
            return self
        guidance = Guidance(self.submitted.budget, self.submitted.confidence, calibration)
        state = guided(self.strategy, self.state, guidance)
        return replace(self, state=state, calibration=calibration)


def begin(submitted: JobSubmitted) -> Search:
    """The search of a job that nothing has happened to yet."""
    strategy = strategy_for(submitted.strategy)
    state = strategy.start(submitted.problem, submitted.strategy, submitted.seed)
    return Search(strategy, guided(strategy, state, Guidance(submitted.budget, submitted.confidence)), submitted)


def fold(events: Iterable[Event]) -> Search:
    """Rebuild the search. Raises TraceMismatch when this code would not have asked what the trace says was asked."""
    events = iter(events)
    first = next(events, None)
    if not isinstance(first, JobSubmitted):
        raise TraceMismatch("the trace does not begin with its submission")
    search = begin(first)
    for event in events:
        search = step(search, event)
    return search


def step(search: Search, event: Event) -> Search:
    """The search after one more event; events that say nothing to a strategy leave it as it is."""
    if isinstance(event, MovesIssued):
        search, moves = search.ask(event.limit)
        if tuple(map(issued, moves)) != event.moves:
            raise TraceMismatch("the strategy no longer asks what this trace says it asked: was its code changed?")
    elif isinstance(event, MoveSettled):
        search = search.tell(event.outcome)
    elif isinstance(event, JobClaimed):
        search = search.claimed(event.calibration)
    return search


def issued(move: Move) -> IssuedMove:
    """A move as the trace keeps it."""
    if isinstance(move, Sample):
        return IssuedMove(move.id, "sample", move.node, move.parent, move.seed, move.max_tokens)
    return IssuedMove(move.id, "score", move.node, move.node, move.seed, move.max_tokens)
