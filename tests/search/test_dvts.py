"""Diverse verifier tree search over trees that are small enough for paper."""

import pytest

from domain.specs.tree import Beam, Dvts
from tests.support.searching import played, started
from tests.support.steps import Book, Endless


def test_each_subtree_goes_on_from_its_own_best_step() -> None:
    """b is the second best of all, but it is in the subtree of a; beam search keeps both and drops c and d."""
    steps = {"": "a b c d", "a": "=1", "b": "=2", "c": "=3"}
    marks = {"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1, "a/=1": 0.4, "b/=2": 0.4, "c/=3": 0.5}
    book, beam = Book(steps, marks), Book(steps, marks)
    search, _ = played(started(Dvts(n=4, width=2)), book)
    played(started(Beam(n=4, width=2)), beam)
    assert book.parents[4:] == ["a", "a", "c", "c"]
    assert beam.parents[4:] == ["a", "a", "b", "b"]
    assert [(one.answer, one.votes) for one in search.verdict().candidates] == [("3", 2), ("1", 2)]
    assert search.verdict().candidates[0].weight == pytest.approx(1.0 / 1.8)


def test_a_subtree_ends_with_its_best_solution() -> None:
    """The first one's best step is a solution, so that its other step is not followed; the second one goes on."""
    book = Book(steps={"": "=1 a b c", "b": "=2"}, marks={"=1": 0.9, "a": 0.8, "b": 0.3, "c": 0.2, "b/=2": 0.7})
    search, _ = played(started(Dvts(n=4, width=2)), book)
    assert book.parents[4:] == ["b", "b"]
    assert search.verdict().answer == "2"


def test_subtrees_share_the_scores_of_equal_steps() -> None:
    """Both choose a: its four next steps are read once where they are equal, and each subtree has its own two."""
    book = Book(
        steps={"": "a a a b", "a": "c d d e", "a/d": "=4 =5"},
        marks={"a": 0.9, "b": 0.1, "a/c": 0.1, "a/d": 0.5, "a/e": 0.9, "a/d/=4": 0.6, "a/d/=5": 0.5, "a/e/=6": 0.9},
    )
    book.steps = {**book.steps, "a/e": "=6"}
    search, _ = played(started(Dvts(n=4, width=2)), book)
    assert book.judged[:5] == ["a", "b", "a/c", "a/d", "a/e"]
    assert book.parents == [""] * 4 + ["a"] * 4 + ["a/d", "a/d", "a/e", "a/e"]
    assert search.verdict().answer == "6"


@pytest.mark.parametrize(("n", "width", "subtrees"), [(16, 4, 4), (16, "sqrt", 4), (8, 8, 1), (7, 3, 2)])
def test_counts(n: int, width: int | str, subtrees: int) -> None:
    book = Endless()
    played(started(Dvts(n=n, width=width, max_steps=4)), book)
    assert (len(book.samples), len(book.judged)) == (4 * n, 3 * n)
    assert len({parent for parent in book.parents if parent and "/" not in parent}) == subtrees


def test_a_subtree_without_a_step_that_can_go_on_has_ended() -> None:
    book = Book(steps={"": "~ ! a b", "b": "=2"}, marks={"b": 0.2, "b/=2": 0.3})
    search, _ = played(started(Dvts(n=4, width=2)), book)
    assert book.parents[4:] == ["b", "b"]
    assert search.verdict().answer == "2"


@pytest.mark.parametrize(("aggregation", "going_on"), [("last", "a"), ("min", "b"), ("product", "b"), ("mean", "b")])
def test_the_aggregation_ranks_partial_solutions(aggregation: str, going_on: str) -> None:
    """A verifier may judge more than one thing of a step; a subtree's choice is by the aggregated number."""
    book = Book(
        steps={"": "a b", "a": "=1", "b": "=1"},
        marks={"a": (0.1, 0.9), "b": (0.7, 0.6), "a/=1": 0.5, "b/=1": 0.5},
    )
    played(started(Dvts(n=2, width=2, aggregation=aggregation)), book)
    assert book.parents[2:] == [going_on] * 2


@pytest.mark.parametrize(("aggregation", "answer"), [("last", "1"), ("min", "2"), ("product", "2"), ("mean", "2")])
def test_the_aggregation_weighs_the_subtrees_solutions(aggregation: str, answer: str) -> None:
    book = Book(
        steps={"": "a b", "a": "=1", "b": "=2"}, marks={"a": 0.1, "b": 0.8, "a/=1": (0.1, 0.7), "b/=2": (0.8, 0.6)}
    )
    search, _ = played(started(Dvts(n=2, width=1, aggregation=aggregation)), book)
    assert search.verdict().answer == answer
