"""The decisions of an adaptive search: what the next action was expected to bring, and where the search stood then.

Law: they are read off the trace by the fold that a worker would recover with; nothing is asked of the running search.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.budget import Spend
from domain.events import Event, JobStopped, JobSubmitted, MovesIssued
from search.adaptive import offer
from search.replay import Search, begin, step


@dataclass(frozen=True, slots=True)
class Decision:
    gain: float
    """Expected, in P(right); 0 at the end."""
    cost: float
    """Expected, in costs of one plain sample; 0 at the end."""
    spent: float
    """FLOPs before it."""
    answer: str | None
    """What the search would return now."""


@dataclass
class Path:
    """A listener of `orchestrator.local.solve`."""

    decisions: list[Decision] = field(default_factory=list)
    _search: Search | None = None

    def __call__(self, event: Event, spend: Spend) -> None:
        if isinstance(event, JobSubmitted):
            self._search = begin(event)
            return
        assert self._search is not None
        if isinstance(event, MovesIssued):
            self._note(self._search, spend.flops)
        if isinstance(event, JobStopped):
            self.decisions.append(Decision(0.0, 0.0, spend.flops, event.verdict.answer))
        else:
            self._search = step(self._search, event)

    def _note(self, search: Search, spent: float) -> None:
        due = offer(search.state)
        if due is not None:
            self.decisions.append(Decision(due.gain, due.cost, spent, search.verdict().answer))
