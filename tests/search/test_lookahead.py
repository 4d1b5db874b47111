"""Lookahead search over trees that are small enough for paper."""

import pytest

from domain.moves import Outcome, Score
from domain.specs.tree import Beam, Lookahead
from tests.support.searching import played, scores, started
from tests.support.steps import Book, Endless


class Gold(Book):
    """Its verifier likes nothing but the word "gold", wherever it is in what it reads."""

    def _judged(self, move: Score) -> Outcome:
        return scores(move, 0.9 if "gold" in move.solution else 0.1)


def gold(steps: dict[str, str], greedy: dict[str, str]) -> Book:
    return Gold(steps, {}, greedy)


def test_a_step_is_scored_with_what_follows_it() -> None:
    """`b` leads to gold and says nothing of it: only who reads the look-ahead can choose it."""
    steps = {"": "a b", "a": "=1", "b": "=2"}
    blind = gold(steps, {})
    played(started(Beam(n=2, width=2)), blind)
    assert blind.parents[2:] == ["a", "a"]
    ahead = gold(steps, {"a": "x", "b": "gold"})
    search, _ = played(started(Lookahead(n=2, width=2, lookahead=1)), ahead)
    assert ahead.judged[:2] == ["a/x", "b/gold"]
    assert ahead.parents[2:] == ["b", "b"]
    assert search.verdict().answer == "2"


def test_two_steps_ahead_see_further_than_one() -> None:
    steps, greedy = {"": "a b", "a": "=1", "b": "=2"}, {"a": "x", "b": "y", "a/x": "z", "b/y": "gold"}
    near, far = gold(steps, greedy), gold(steps, greedy)
    played(started(Lookahead(n=2, width=2, lookahead=1)), near)
    played(started(Lookahead(n=2, width=2, lookahead=2)), far)
    assert (near.parents[2:], far.parents[2:]) == (["a", "a"], ["b", "b"])
    assert far.judged[:2] == ["a/x/z", "b/y/gold"]


@pytest.mark.parametrize(("n", "k", "depth"), [(4, 1, 3), (4, 3, 2), (9, 2, 1)])
def test_it_costs_k_more_samples_a_step(n: int, k: int, depth: int) -> None:
    """n × (k + 1) samples and n scores a step; the last step can't go on, so nobody looks beyond it."""
    book = Endless()
    played(started(Lookahead(n=n, width=2, lookahead=k, max_steps=depth)), book)
    assert len(book.samples) == n * (k + 1) * (depth - 1) + n
    assert len(book.rolled_out) == n * k * (depth - 1)
    assert len(book.judged) == n * (depth - 1)


def test_a_look_ahead_that_ends_is_a_solution_and_nothing_is_asked_beyond_it() -> None:
    book = Book(
        steps={"": "a b", "b": "=2"},
        marks={"a/=1": 0.3, "b/c/d/e": 0.8, "b/=2": 0.2},
        greedy={"a": "=1", "b": "c", "b/c": "d", "b/c/d": "e"},
    )
    search, _ = played(started(Lookahead(n=2, width=2, lookahead=3)), book)
    assert book.rolled_out == ["a", "b", "b/c", "b/c/d"]
    assert book.judged == ["a/=1", "b/c/d/e", "b/=2"]
    assert book.parents == ["", "", "b", "b"]
    votes = {one.answer: (one.votes, one.weight) for one in search.verdict().candidates}
    assert votes == {"1": (1, pytest.approx(0.3 / 0.7)), "2": (2, pytest.approx(0.4 / 0.7))}


def test_a_look_ahead_that_was_cut_or_failed_ends_where_it_was() -> None:
    """What was cut is no step: it is neither read nor continued, and not asked for again."""
    book = Book(
        steps={"": "a b c", "c": "=3"},
        marks={"a": 0.1, "b/x": 0.2, "c/y/z": 0.3, "c/=3": 0.3},
        greedy={"a": "~", "b": "x", "b/x": "!", "c": "y", "c/y": "z"},
    )
    played(started(Lookahead(n=3, width=3, lookahead=2)), book)
    assert book.rolled_out == ["a", "b", "c", "b/x", "c/y"]
    assert book.judged == ["a", "b/x", "c/y/z", "c/=3"]


def test_equal_steps_are_rolled_out_once() -> None:
    book = Book(steps={"": "a a a a", "a": "=1"}, marks={"a/x": 0.1, "a/=1": 0.5}, greedy={"a": "x"})
    search, _ = played(started(Lookahead(n=4, width=1, lookahead=1)), book)
    assert (book.rolled_out, book.judged) == (["a"], ["a/x", "a/=1"])
    assert search.verdict().candidates[0].votes == 4


def test_a_solution_that_was_read_is_not_read_again_and_votes_once() -> None:
    """a leads to a/b/=1, and so does a/b, one step later; d is worse. The sample of =1 is a vote of its own."""
    book = Book(
        steps={"": "a", "a": "b d", "a/b": "=1 =2"},
        marks={"a/b/=1": 0.6, "a/d/=3": 0.5, "a/b/=2": 0.7},
        greedy={"a": "b", "a/b": "=1", "a/d": "=3"},
    )
    search, _ = played(started(Lookahead(n=2, width=2, lookahead=2)), book)
    assert book.rolled_out == ["a", "a/b", "a/b", "a/d"]
    assert book.judged == ["a/b/=1", "a/d/=3", "a/b/=2"]
    assert book.parents == ["", "", "a", "a", "a/b", "a/b"]
    votes = {one.answer: one.votes for one in search.verdict().candidates}
    assert votes == {"1": 2, "2": 1, "3": 1}


@pytest.mark.parametrize(("aggregation", "answer"), [("last", "1"), ("min", "2"), ("product", "2"), ("mean", "2")])
def test_the_aggregation_reads_the_look_ahead_too(aggregation: str, answer: str) -> None:
    book = Book(
        steps={"": "a b", "a": "=1", "b": "=2"},
        marks={"a/x": (0.1, 0.9), "b/y": (0.8, 0.6), "a/=1": 0.5, "b/=2": 0.5},
        greedy={"a": "x", "b": "y"},
    )
    search, _ = played(started(Lookahead(n=2, width=2, aggregation=aggregation)), book)
    assert search.verdict().answer == answer
