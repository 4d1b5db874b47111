"""Adaptive voting, move by move: rounds, stops, and what a failed call does."""

from __future__ import annotations

import pytest

from domain.budget import Budget, Spend
from domain.errors import InvalidRequest
from domain.events import JobSubmitted
from domain.moves import Answer, Failed, FailureKind, FinishReason, Sampled
from domain.problem import text_problem
from domain.recipe import parse_strategy, spec_to_json
from domain.specs.adaptive_voting import AdaptiveVoting
from search.replay import Search, begin


def played(spec: AdaptiveVoting, values: list[str | None], limit: int = 100) -> tuple[Search, list[int]]:
    """Answer each sample with the next value ("!" is a failed call); the sizes of the rounds."""
    search, rounds, left = begin(JobSubmitted(text_problem("?"), spec, Budget(), None, 1)), [], list(values)
    while True:
        search, moves = search.ask(limit)
        if not moves:
            return search, rounds
        rounds.append(len(moves))
        for move in moves:
            search = search.tell(outcome(move.id, left.pop(0)))


def outcome(move: str, value: str | None) -> Sampled | Failed:
    if value == "!":
        return Failed(move, FailureKind.ENGINE, "down")
    answer = None if value is None else Answer(value, f"q:{value}")
    return Sampled(move, f"so {value}", FinishReason.END, answer, None, Spend())


def test_an_easy_problem_takes_one_round() -> None:
    search, rounds = played(AdaptiveVoting(rule="beta"), ["7"] * 40)
    assert rounds == [4]
    assert search.verdict().answer == "7"


def test_a_split_vote_is_sampled_to_the_end() -> None:
    search, rounds = played(AdaptiveVoting(rule="beta"), ["7", "8"] * 20)
    assert sum(rounds) == 40
    assert search.verdict().candidates[0].votes == 20


def test_a_limit_below_the_round_changes_nothing_but_the_pace() -> None:
    values = ["7", "8", "7", "7", "7", "7", "9", "7", "7"] + ["7"] * 31
    fast, slow = (played(AdaptiveVoting(rule="beta"), values, limit) for limit in (100, 1))
    assert sum(fast[1]) == sum(slow[1])
    assert fast[0].verdict() == slow[0].verdict()


def test_larger_rounds_when_asked_for() -> None:
    assert played(AdaptiveVoting(rule="beta", round=6), ["7"] * 40)[1] == [6]
    assert played(AdaptiveVoting(rule="beta", round=6, n=4), ["7"] * 40)[1] == [4]


def test_failed_calls_use_up_places_and_do_not_vote() -> None:
    search, rounds = played(AdaptiveVoting(rule="beta", n=6), ["!", "!", "7", "!", "!", "!"])
    assert sum(rounds) == 6
    assert search.verdict().answer == "7"


def test_nothing_is_asked_while_a_round_is_under_way() -> None:
    search, moves = begin(JobSubmitted(text_problem("?"), AdaptiveVoting(rule="beta"), Budget(), None, 1)).ask(100)
    search = search.tell(outcome(moves[0].id, "7"))
    assert search.ask(100) == (search, ())


def test_the_spec_is_read_and_checked() -> None:
    spec = parse_strategy({"name": "adaptive_voting", "rule": "beta", "threshold": 0.9, "n": 64})
    assert parse_strategy(spec_to_json(spec)) == spec == AdaptiveVoting(n=64, rule="beta", threshold=0.9)
    with pytest.raises(InvalidRequest, match="horizon, beta, dirichlet, margin, window"):
        parse_strategy({"name": "adaptive_voting", "rule": "gut feeling"})
    with pytest.raises(InvalidRequest, match="threshold must be from"):
        parse_strategy({"name": "adaptive_voting", "threshold": 0.2})
