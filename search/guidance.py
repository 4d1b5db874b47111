"""What a strategy that decides for itself may know beyond its spec: the job's limits, and what was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from domain.budget import Budget
from domain.calibration import Calibration
from search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Guidance:
    budget: Budget
    target: float | None = None
    """The confidence asked for."""
    calibration: Calibration | None = None
    """None: nothing is fitted for these models, so that conservative defaults decide."""


@runtime_checkable
class Guided(Protocol):
    """A strategy that takes guidance: once at its start and again, with the calibration, when it is claimed."""

    def guide(self, state: Any, guidance: Guidance) -> Any:
        """The state with this guidance. No move has been asked for before."""
        ...


def guided(strategy: Strategy[Any, Any], state: Any, guidance: Guidance) -> Any:
    """The state, guided where its strategy takes guidance."""
    return strategy.guide(state, guidance) if isinstance(strategy, Guided) else state
