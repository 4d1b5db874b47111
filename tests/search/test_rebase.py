"""Reward balanced search over trees that are small enough for paper."""

import pytest

from domain.specs.tree import Rebase
from search.contenders import split_by, split_evenly
from tests.support.searching import played, started
from tests.support.steps import Book, Endless


def test_samples_are_split_by_the_softmax_of_scores() -> None:
    """Scores 0.9, 0.8, 0.5 at temperature 0.1: weights 1, e⁻¹, e⁻⁴; shares of 8: 5.770, 2.123, 0.106."""
    steps = {"": "a b c c c c c c", "a": "=1", "b": "=2"}
    book = Book(steps, {"a": 0.9, "b": 0.8, "c": 0.5, "a/=1": 0.2, "b/=2": 0.9})
    search, _ = played(started(Rebase(n=8)), book)
    assert book.parents[8:] == ["a"] * 6 + ["b"] * 2
    assert search.verdict().answer == "2"
    assert [one.votes for one in search.verdict().candidates] == [2, 6]


@pytest.mark.parametrize(("temperature", "shares"), [(0.01, (8, 0)), (0.1, (6, 2)), (10.0, (4, 4))])
def test_the_temperature_says_how_much_a_score_counts(temperature: float, shares: tuple[int, int]) -> None:
    book = Book({"": "a b", "a": "=1", "b": "=2"}, {"a": 0.9, "b": 0.8, "a/=1": 0.5, "b/=2": 0.5})
    played(started(Rebase(n=8, score_temperature=temperature)), book)
    assert (book.parents.count("a"), book.parents.count("b")) == shares


def test_finished_solutions_take_their_samples_with_them() -> None:
    """Of 6, two end at the first step and one at the second: 6, 4, 3 and 3 samples."""
    book = Book(
        steps={"": "=1 =1 a", "a": "=2 b", "a/b": "c", "a/b/c": "=3"},
        marks={"=1": 0.1, "a": 0.5, "a/=2": 0.1, "a/b": 0.5, "a/b/c": 0.5, "a/b/c/=3": 0.6},
    )
    search, _ = played(started(Rebase(n=6)), book)
    assert [book.parents.count(parent) for parent in ("", "a", "a/b", "a/b/c")] == [6, 4, 3, 3]
    assert search.verdict().answer == "3"


def test_the_search_ends_when_n_solutions_are_finished() -> None:
    book = Book({"": "=1 a", "a": "=2"}, {"=1": 0.5, "a": 0.5, "a/=2": 0.5})
    search, _ = played(started(Rebase(n=3)), book)
    assert book.parents == ["", "", "", "a", "a"]
    assert search.ask(9) == (search, ())


def test_counts() -> None:
    book = Endless()
    played(started(Rebase(n=16, max_steps=5)), book)
    assert (len(book.samples), len(book.judged)) == (5 * 16, 4 * 16)


def test_merged_steps_have_one_share() -> None:
    """a was sampled three times and b once, with the same score: each gets two of the four."""
    book = Book({"": "a a a b", "a": "=1", "b": "=2"}, {"a": 0.5, "b": 0.5, "a/=1": 0.1, "b/=2": 0.2})
    played(started(Rebase(n=4)), book)
    assert book.judged == ["a", "b", "a/=1", "b/=2"]
    assert book.parents[4:] == ["a", "a", "b", "b"]


def test_without_scores_the_shares_are_equal() -> None:
    book = Book({"": "a b", "a": "=1", "b": "=2"}, {})
    search, _ = played(started(Rebase(n=4)), book)
    assert (book.parents.count("a"), book.parents.count("b")) == (2, 2)
    assert search.verdict().answer == "2", "b was sampled more often, so its share comes first"


@pytest.mark.parametrize(("aggregation", "shares"), [("last", (4, 0)), ("min", (0, 4)), ("product", (0, 4))])
def test_the_aggregation_splits_the_samples(aggregation: str, shares: tuple[int, int]) -> None:
    book = Book({"": "a b", "a": "=1", "b": "=2"}, {"a": (0.1, 0.9), "b": (0.7, 0.6), "a/=1": 0.5, "b/=2": 0.5})
    search, _ = played(started(Rebase(n=4, aggregation=aggregation, score_temperature=0.02)), book)
    assert (book.parents.count("a"), book.parents.count("b")) == shares
    assert search.verdict().answer == ("1" if shares[0] else "2")


@pytest.mark.parametrize(("aggregation", "answer"), [("last", "1"), ("min", "2"), ("product", "2"), ("mean", "2")])
def test_the_aggregation_judges_whole_solutions(aggregation: str, answer: str) -> None:
    book = Book({"": "a b", "a": "=1", "b": "=2"}, {"a": 0.5, "b": 0.5, "a/=1": (0.1, 0.7), "b/=2": (0.8, 0.6)})
    search, _ = played(started(Rebase(n=2, aggregation=aggregation)), book)
    assert search.verdict().answer == answer


def test_shares_are_whole_and_lose_nothing() -> None:
    assert split_by([1.0, 1.0, 1.0], 4) == (2, 1, 1)
    assert split_by([0.7, 0.2, 0.1], 10) == (7, 2, 1)
    assert split_by([1.0, 1e-9], 3) == (3, 0)
    assert split_evenly(10, 4) == (3, 3, 2, 2)
