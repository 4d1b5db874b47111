"""Sequential revisions by hand-made cases."""

import itertools

import pytest

from domain.moves import Move, Outcome, Sample, Score
from domain.specs.sequential import Revisions
from search.revisions import _digested, chains_of
from tests.support.searching import answered, failed, played, samples_in, scores, scripted, solution, started

SELECTIONS = ["weighted", "hierarchical", "best"]


@pytest.mark.parametrize(
    ("n", "ratio", "chains"), [(16, 1.0, 4), (16, 4.0, 2), (16, 16.0, 1), (16, 1 / 16, 16), (7, 1.0, 3), (1, 9.0, 1)]
)
def test_the_ratio_is_sequential_to_parallel(n: int, ratio: float, chains: int) -> None:
    assert chains_of(Revisions(n=n, ratio=ratio)) == chains


@pytest.mark.parametrize(("n", "ratio"), [(16, 1.0), (7, 1.0), (5, 5.0), (6, 1 / 6)])
def test_every_chain_is_sampled_and_scored_once(n: int, ratio: float) -> None:
    world = scripted(dict.fromkeys(range(1, n + 1), "7"), dict.fromkeys(range(1, n + 1), 0.5))
    search, moves = played(started(Revisions(n=n, ratio=ratio)), world)
    assert sorted(move.id for move in moves) == sorted(
        f"{kind}-{i}" for kind in ("sample", "score") for i in range(1, n + 1)
    )
    assert search.verdict().candidates[0].votes == n


def test_a_revision_sees_the_latest_attempts_of_its_own_chain() -> None:
    spec = Revisions(n=12, ratio=3.0, attempts=4)  # 2 chains of 6
    world = scripted({node: str(node) for node in range(1, 13)}, dict.fromkeys(range(1, 13), 0.5))
    _, moves = played(started(spec), world)
    seen = {move.node: move.attempts for move in samples_in(moves)}
    assert seen[1] == seen[2] == ()
    assert seen[4] == ("step\n\n2:2",)
    assert seen[11] == tuple(f"step\n\n{node}:{node}" for node in (3, 5, 7, 9))
    assert all(move.prefix == "" for move in samples_in(moves))


def test_truncated_and_failed_turns_are_not_shown_and_do_not_end_a_chain() -> None:
    world = scripted({1: "1", 2: "-", 3: "!", 4: "4"}, {1: 0.5, 4: 0.5})
    search, moves = played(started(Revisions(n=4, ratio=4.0)), world)
    seen = {move.node: move.attempts for move in samples_in(moves)}
    assert seen[4] == ("step\n\n1:1",)
    assert {move.id for move in moves if isinstance(move, Score)} == {"score-1", "score-4"}
    assert search.verdict().confidence == pytest.approx(0.5 * 2 / 4)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_right_answer_early_in_a_chain_survives_when_the_verifier_likes_it(selection: str) -> None:
    world = scripted({1: "right", 2: "a", 3: "b", 4: "c"}, {1: 0.9, 2: 0.2, 3: 0.3, 4: 0.3})
    search, _ = played(started(Revisions(n=4, ratio=4.0, selection=selection)), world)
    assert search.verdict().answer == "right"
    assert search.verdict().solution == "step\n\n1:right"


def test_the_last_revision_is_not_taken_for_being_the_last() -> None:
    for right in range(1, 7):
        values = {node: "right" if node == right else f"w{node}" for node in range(1, 7)}
        marks = {node: 0.8 if node == right else 0.4 for node in range(1, 7)}
        search, _ = played(started(Revisions(n=6, ratio=6.0)), scripted(values, marks))
        assert search.verdict().answer == "right"


@pytest.mark.parametrize(("later", "margin", "answer"), [(0.65, 0.1, "a"), (0.75, 0.1, "b"), (0.65, 0.0, "b")])
def test_a_first_attempt_yields_to_what_is_clearly_better(later: float, margin: float, answer: str) -> None:
    """In the first of two chains; the other one comes to nothing."""
    search, _ = played(
        started(Revisions(n=4, ratio=1.0, margin=margin)),
        scripted({1: "a", 2: "c", 3: "b", 4: "c"}, {1: 0.6, 2: 0.2, 3: later, 4: 0.3}),
    )
    assert search.verdict().answer == answer


def test_across_chains_nothing_is_on_top() -> None:
    world = scripted({1: "a", 2: "c", 3: "a", 4: "b"}, {1: 0.6, 2: 0.2, 3: 0.6, 4: 0.65})
    search, _ = played(started(Revisions(n=4, ratio=1.0, margin=0.1)), world)
    assert search.verdict().answer == "b"


def test_a_margin_is_for_the_first_answer_however_late_it_is_given() -> None:
    world = scripted({1: "a", 2: "b", 3: "a"}, {1: 0.2, 2: 0.7, 3: 0.65})
    search, _ = played(started(Revisions(n=3, ratio=3.0, margin=0.1)), world)
    assert search.verdict().answer == "a"


CHAINED = ({1: "a", 2: "b", 3: "a", 4: "c", 5: "a", 6: "b"}, {1: 0.4, 2: 0.9, 3: 0.4, 4: 0.7, 5: 0.4, 6: 0.2})
"""Chain one is a, a, a (0.4 each); chain two is b, c, b (0.9, 0.7, 0.2)."""


@pytest.mark.parametrize(
    ("selection", "answer", "share"),
    [
        ("weighted", "a", 1.2 / 3.0),  # a: 1.2, b: 1.1, c: 0.7
        ("hierarchical", "b", 0.9 / 1.3),  # the chains' best: a with 0.4, b with 0.9
        ("best", "b", 1.1 / 3.0),
        ("majority", "a", 3 / 6),
    ],
)
def test_selection_within_and_across_chains(selection: str, answer: str, share: float) -> None:
    search, moves = played(started(Revisions(n=6, ratio=1.5, selection=selection)), scripted(*CHAINED))
    assert search.verdict().answer == answer
    assert search.verdict().candidates[
        0 if answer == search.verdict().candidates[0].answer else 1
    ].weight == pytest.approx(share)
    assert any(isinstance(move, Score) for move in moves) == (selection != "majority")


@pytest.mark.parametrize("selection", [*SELECTIONS, "majority"])
def test_votes_decide_when_there_is_no_verifier(selection: str) -> None:
    search, _ = played(started(Revisions(n=6, ratio=1.5, selection=selection)), scripted(CHAINED[0], {}))
    assert search.verdict().answer == "a"


def test_seeds_and_the_end_do_not_depend_on_which_chain_is_faster() -> None:
    """Two chains of two: every order in which outcomes can arrive gives the same nodes and verdict."""
    spec, world = (
        Revisions(n=4, ratio=1.0),
        scripted({1: "a", 2: "b", 3: "b", 4: "c"}, {1: 0.4, 2: 0.5, 3: 0.6, 4: 0.7}),
    )
    ends = set()
    for choices in itertools.product(range(3), repeat=5):
        search, pending, at = started(spec), [], itertools.cycle(choices)
        while True:
            search, moves = search.ask(3)
            pending += moves
            if not pending:
                break
            move = pending.pop(next(at) % len(pending))
            search = search.tell(world(move))
        ends.add((search.state.nodes, search.verdict()))
    assert len(ends) == 1


def test_an_early_ask_is_for_every_chain() -> None:
    search, moves = started(Revisions(n=16)).ask(100)
    assert [move.id for move in moves] == ["sample-1", "sample-2", "sample-3", "sample-4"]
    first = moves[2]
    assert isinstance(first, Sample)
    search = answered(search, [first], scripted({3: "x"}, {}))
    _, more = search.ask(100)
    assert [move.id for move in more] == ["score-3", "sample-7"]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_equal_solutions_are_scored_once_and_vote_each(selection: str) -> None:
    def world(move: Move) -> Outcome:
        if isinstance(move, Score):
            return scores(move, 0.9 if move.solution == "same" else 0.2)
        return solution(move, "7", text="same") if move.node != 5 else solution(move, "8", text="other")

    search, moves = played(started(Revisions(n=8, ratio=2.0, selection=selection)), world)
    assert sorted(move.solution for move in moves if isinstance(move, Score)) == ["other", "same"]
    assert search.verdict().answer == "7"
    votes = {one.answer: one.votes for one in search.verdict().candidates}
    assert votes == ({"7": 2} if selection == "hierarchical" else {"7": 7, "8": 1})
    assert all(node.scores for node in _digested(search.state).nodes)


def test_when_a_score_fails_an_equal_solution_is_scored_instead() -> None:
    def world(move: Move) -> Outcome:
        if isinstance(move, Score):
            return failed(move) if move.node == 1 else scores(move, 0.5)
        return solution(move, "7", text="same")

    search, moves = played(started(Revisions(n=4, ratio=1.0)), world, limit=2)
    assert [move.id for move in moves if isinstance(move, Score)] == ["score-1", "score-2"]
    assert search.verdict().candidates[0].votes == 3
