"""What a strategy is: four pure functions over a frozen state. It never acts.

    start(problem, spec, seed) -> state     ask(state, limit) -> (state, moves)
    tell(state, outcome) -> state           verdict(state) -> Verdict

Every strategy obeys three laws, tested in one suite (`tests/search/laws.py`):

* order-free: outcomes told in any order within a round give the same state;
* replayable: folding the stored events gives the same state;
* anytime: cut the log anywhere, resume, and it is legal; `verdict` can be asked at any time.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.verdict import Verdict

S = TypeVar("S", bound="State")
Spec = TypeVar("Spec", bound=StrategySpec, contravariant=True)


class State(Protocol):
    """Frozen and comparable. In-flight moves are part of it, so that a resumed search knows what it still awaits."""

    @property
    def in_flight(self) -> tuple[Move, ...]: ...


class Strategy(Protocol[Spec, S]):
    """One way to search. Implementations are modules' worth of pure functions, without any attribute."""

    def start(self, problem: Problem, spec: Spec, seed: int) -> S: ...

    def ask(self, state: S, limit: int) -> tuple[S, tuple[Move, ...]]:
        """At most `limit` new moves, now in flight. None at all while nothing is in flight means: finished."""
        ...

    def tell(self, state: S, outcome: Outcome) -> S:
        """Take in the outcome of an in-flight move. Raises UnknownMove for any other."""
        ...

    def verdict(self, state: S) -> Verdict: ...


class UnknownMove(Exception):
    """An outcome was told for a move that is not in flight: a defect of the shell."""
