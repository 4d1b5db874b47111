"""A search bound to its strategy, and the fold that rebuilds it from its stored events.

Law: `fold(events)` gives the state that the search had when the last of them was written. The moves that a strategy
asked are not trusted to the trace but asked again and compared, so that a changed strategy is found out at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import TraceMismatch
from domain.events import Event, IssuedMove, JobSubmitted, MoveSettled, MovesIssued
from domain.moves import Move, Outcome, Sample
from domain.verdict import Verdict
from search.registry import strategy_for
from search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Search:
    """A strategy and its state: what the shell holds of a running job."""

    strategy: Strategy[Any, Any]
    state: Any

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
        return self.strategy.verdict(self.state)


def begin(submitted: JobSubmitted) -> Search:
    """The search of a job that nothing has happened to yet."""
    strategy = strategy_for(submitted.strategy)
    return Search(strategy, strategy.start(submitted.problem, submitted.strategy, submitted.seed))


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
    return search


def issued(move: Move) -> IssuedMove:
    """A move as the trace keeps it."""
    if isinstance(move, Sample):
        return IssuedMove(move.id, "sample", move.node, move.parent, move.seed, move.max_tokens)
    return IssuedMove(move.id, "score", move.node, move.node, move.seed, move.max_tokens)
