"""Beam search over trees that are small enough for paper."""

import pytest

from domain.moves import STEP_SEPARATOR
from domain.specs.tree import Beam
from tests.support.searching import played, started
from tests.support.steps import Book, Endless


def small_book() -> Book:
    return Book(
        steps={"": "a b c d", "a": "e f", "b": "=1 =2", "a/f": "=3", "a/e": "=4"},
        marks={"a": 0.9, "b": 0.8, "c": 0.3, "d": 0.1}
        | {"a/e": 0.2, "a/f": 0.6, "b/=1": 0.7, "b/=2": 0.5, "a/f/=3": 0.65, "a/e/=4": 0.05},
    )


def test_the_best_go_on_and_all_finished_solutions_vote() -> None:
    """1 has 0.7, 2 has 0.5, and 3, sampled twice, has 2 × 0.65."""
    book = small_book()
    search, _ = played(started(Beam(n=4, width=2)), book)
    verdict = search.verdict()
    assert book.parents == [""] * 4 + ["a", "a", "b", "b"] + ["a/f"] * 2
    assert (verdict.answer, verdict.solution) == ("3", STEP_SEPARATOR.join(["a", "f", "=3"]))
    assert [(one.answer, one.votes) for one in verdict.candidates] == [("3", 2), ("1", 1), ("2", 1)]
    assert [one.weight for one in verdict.candidates] == pytest.approx([1.3 / 2.5, 0.7 / 2.5, 0.5 / 2.5])


def test_equal_steps_are_scored_once() -> None:
    book = small_book()
    played(started(Beam(n=4, width=2)), book)
    assert book.judged.count("a/f/=3") == 1
    assert len(book.judged) == 4 + 4 + 1


def test_the_single_best_solution_can_be_asked_for() -> None:
    search, _ = played(started(Beam(n=4, width=2, selection="best")), small_book())
    assert search.verdict().answer == "1"


def test_a_finished_solution_can_free_its_place() -> None:
    """Then the next best unfinished step goes on, and n steps are sampled as long as n solutions are not there."""
    book = small_book()
    played(started(Beam(n=4, width=2, finished="free")), book)
    assert book.parents == [""] * 4 + ["a", "a", "b", "b"] + ["a/f", "a/f", "a/e", "a/e"]


def test_a_free_place_is_not_filled_once_n_solutions_are_finished() -> None:
    book = Book(
        steps={"": "a b", "a": "=1", "b": "c", "b/c": "=2 d", "b/c/d": "=3"},
        marks={"a": 0.9, "b": 0.8, "a/=1": 0.7, "b/c": 0.4, "b/c/=2": 0.3, "b/c/d": 0.2},
    )
    played(started(Beam(n=2, width=1, finished="free")), book)
    assert book.parents == ["", "", "a", "b", "b/c", "b/c"]


@pytest.mark.parametrize(
    ("n", "width", "beams"), [(16, 4, 4), (16, "sqrt", 4), (16, 16, 1), (64, "sqrt", 8), (9, 2, 4)]
)
@pytest.mark.parametrize("depth", [1, 3])
def test_counts_are_those_of_the_paper(n: int, width: int | str, beams: int, depth: int) -> None:
    """Endless distinct steps: n samples a step, from n / M parents; no score where nothing follows it."""
    book = Endless()
    search, _ = played(started(Beam(n=n, width=width, max_steps=depth)), book, limit=7)
    assert len(book.samples) == n * depth
    assert len(book.judged) == n * (depth - 1)
    for level in range(1, depth):
        parents = [parent for parent in book.parents if parent.count("/") == level - 1 and parent]
        assert len(parents) == n
        assert len(set(parents)) == beams
    assert search.verdict().answer is None


def test_forty_rounds_are_the_most_by_default() -> None:
    book = Endless()
    played(started(Beam(n=2, width=2)), book)
    assert len(book.samples) == 2 * 40


def test_merged_beams_share_all_samples() -> None:
    """Four places and two distinct steps: each goes on with two samples, and the verifier reads two texts."""
    book = Book(steps={"": "a a b a", "a": "=1", "b": "=2"}, marks={"a": 0.5, "b": 0.6, "a/=1": 0.5, "b/=2": 0.6})
    search, _ = played(started(Beam(n=4, width=1)), book)
    assert book.judged == ["a", "b", "b/=2", "a/=1"]
    assert book.parents == [""] * 4 + ["b", "b", "a", "a"]
    assert search.verdict().candidates[0].votes == 2


@pytest.mark.parametrize(
    ("aggregation", "going_on", "answer"),
    [("last", ["a/e", "b/g"], "1"), *((name, ["b/g", "b/h"], "2") for name in ("min", "product", "mean"))],
)
def test_the_aggregation_ranks_partial_solutions(aggregation: str, going_on: list[str], answer: str) -> None:
    """a/e: last 0.9, min 0.2, product 0.18, mean 0.55. b/g: 0.7, 0.6, 0.42, 0.65. b/h: 0.65, 0.6, 0.39, 0.625."""
    book = Book(
        steps={"": "a b c d", "a": "e f", "b": "g h", "a/e": "=1", "b/g": "=2", "b/h": "=2"},
        marks={"a": 0.2, "b": 0.6, "c": 0.1, "d": 0.1, "a/e": 0.9, "a/f": 0.1, "b/g": 0.7, "b/h": 0.65}
        | {"a/e/=1": 0.9, "b/g/=2": 0.7, "b/h/=2": 0.7},
    )
    search, _ = played(started(Beam(n=4, width=2, aggregation=aggregation)), book)
    assert list(dict.fromkeys(book.parents[8:])) == going_on
    assert search.verdict().answer == answer


@pytest.mark.parametrize(("aggregation", "answer"), [("last", "1"), ("min", "2"), ("product", "2"), ("mean", "2")])
def test_the_aggregation_judges_whole_solutions(aggregation: str, answer: str) -> None:
    book = Book(
        steps={"": "a b", "a": "=1", "b": "=2"},
        marks={"a": 0.1, "b": 0.8, "a/=1": (0.1, 0.7), "b/=2": (0.8, 0.6)},
    )
    search, _ = played(started(Beam(n=2, width=1, aggregation=aggregation)), book)
    assert search.verdict().answer == answer


def test_dead_ends_are_left_alone() -> None:
    """A cut step, a failed one and a blank one are neither scored nor continued, and none is a solution."""
    book = Book(steps={"": "~ ! _ a", "a": "=5"}, marks={"a": 0.1, "a/=5": 0.2})
    search, _ = played(started(Beam(n=4, width=1)), book)
    assert book.judged == ["a", "a/=5"]
    assert set(book.parents[4:]) == {"a"}
    assert (search.verdict().answer, search.verdict().candidates[0].votes) == ("5", 4)
    assert search.verdict().confidence == pytest.approx(4 / 6), "the cut sample counts against it"


def test_a_step_whose_scoring_failed_has_no_score() -> None:
    book = Book(steps={"": "a b", "b": "=2"}, marks={"b": 0.01, "b/=2": 0.01})
    search, _ = played(started(Beam(n=2, width=2)), book)
    assert book.parents == ["", "", "b", "b"]
    assert search.verdict().answer == "2"


def test_without_a_verifier_the_samples_own_votes_decide() -> None:
    book = Book(steps={"": "a b b", "b": "=2 =3 =3"}, marks={})
    search, _ = played(started(Beam(n=3, width=3)), book)
    assert book.parents == [""] * 3 + ["b"] * 3
    assert search.verdict().answer == "3"


def test_solutions_of_the_first_step_end_the_search() -> None:
    book = Book(steps={"": "=1 =1 =2 =1"}, marks={"=1": 0.4, "=2": 0.9})
    search, _ = played(started(Beam(n=4, width=4)), book)
    assert len(book.samples) == 4
    assert search.verdict().answer == "1"
