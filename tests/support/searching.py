"""Searches driven by hand: moves are answered as a test says, by the move's id or by what it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from domain.budget import Budget, Spend
from domain.events import JobSubmitted
from domain.moves import Answer, Failed, FailureKind, FinishReason, Move, Outcome, Sample, Sampled, Score, Scored
from domain.problem import text_problem
from domain.recipe import StrategySpec
from search.replay import Search, begin

FREE = Spend()


def started(spec: StrategySpec, seed: int = 1) -> Search:
    return begin(JobSubmitted(text_problem("?"), spec, Budget(), None, seed))


def solution(move: Move, value: str, *, text: str | None = None, logprob: float | None = None) -> Sampled:
    """A finished solution with this answer."""
    body = f"step\n\n{value}" if text is None else text
    return Sampled(move.id, body, FinishReason.END, Answer(value, f"q:{value}"), logprob, FREE)


def step(move: Move, text: str) -> Sampled:
    """A step that ended at the step separator."""
    return Sampled(move.id, text, FinishReason.STOP, None, None, FREE)


def cut(move: Move, text: str = "cut", tokens: int = 0, logprob: float | None = None) -> Sampled:
    return Sampled(move.id, text, FinishReason.LENGTH, None, logprob, Spend(generated_tokens=tokens))


def scores(move: Move, *values: float) -> Scored:
    return Scored(move.id, values, FREE)


def failed(move: Move) -> Failed:
    return Failed(move.id, FailureKind.ENGINE, "down")


def answered(search: Search, moves: Sequence[Move], world: Callable[[Move], Outcome]) -> Search:
    for move in moves:
        search = search.tell(world(move))
    return search


def played(search: Search, world: Callable[[Move], Outcome], limit: int = 8) -> tuple[Search, list[Move]]:
    """Ask and answer until nothing is left; all moves in the order in which they were asked."""
    asked: list[Move] = []
    for _ in range(10_000):
        search, moves = search.ask(limit)
        if not moves:
            return search, asked
        asked += moves
        search = answered(search, moves, world)
    raise AssertionError("the search does not come to an end")


def samples_in(moves: Sequence[Move]) -> list[Sample]:
    return [move for move in moves if isinstance(move, Sample)]


def scripted(values: Mapping[int, str], marks: Mapping[int, float]) -> Callable[[Move], Outcome]:
    """Node `i` has the answer `values[i]` ('-': truncated, '!': failed) and the score `marks[i]` (none: failed)."""

    def world(move: Move) -> Outcome:
        if isinstance(move, Score):
            return scores(move, marks[move.node]) if move.node in marks else failed(move)
        value = values[move.node]
        if value == "!":
            return failed(move)
        return cut(move) if value == "-" else solution(move, value, text=f"step\n\n{move.node}:{value}")

    return world
