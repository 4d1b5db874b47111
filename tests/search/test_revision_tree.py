"""Search and revisions in one tree, by hand-made cases."""

import pytest

from domain.moves import Move, Outcome, Sample, Score
from domain.specs.sequential import RevisionTree
from search.arms import Arm, added, best_arm, credited, used
from search.revision_tree import Kind, _digested, before_the_fall
from tests.support.searching import answered, cut, failed, played, samples_in, scores, scripted, solution, started

STEPPED = "one\n\ntwo\n\nthree\n\nfour"


@pytest.mark.parametrize(
    ("marks", "kept", "reached"),
    [
        ((0.8, 0.9, 0.3, 0.2), 2, 0.9),
        ((0.8, 0.3, 0.9), 1, 0.8),
        ((0.2, 0.9, 0.8), 0, 0.0),  # the first step can't fall: before it there is nothing to keep
        ((0.9, 0.5, 0.44), 2, 0.5),  # below half of the highest before, which need not be the one before
        ((0.9,), 0, 0.0),
        ((), 0, 0.0),
    ],
)
def test_a_restart_keeps_the_steps_before_the_first_fall(marks: tuple[float, ...], kept: int, reached: float) -> None:
    assert before_the_fall(marks, 0.5) == (kept, reached)


def test_arms() -> None:
    arms: tuple[Arm, ...] = ()
    for node, base in ((1, 0.4), (2, 0.9), (3, 0.6), (4, 0.6)):
        arms = added(arms, Arm(node, base), 3)
    assert [arm.node for arm in arms] == [2, 3, 4]
    assert best_arm(arms, 0.3, 4).node == 2
    arms = credited(used(arms, arms[0]), 2, 0.0)  # mean (0.9 + 0.0) / 2, and one use
    assert arms[0].mean == pytest.approx(0.45)
    assert best_arm(arms, 0.3, 4).node == 3
    assert best_arm(arms, 0.0, 4).node == 3


def test_nothing_is_built_on_before_the_verifier_has_spoken() -> None:
    search, moves = started(RevisionTree(n=9, parallel=3)).ask(9)
    assert [move.id for move in moves] == ["sample-1", "sample-2", "sample-3"]
    assert search.ask(9) == (search, ())
    assert all(not move.attempts and not move.prefix for move in samples_in(moves))


def test_without_a_verifier_all_is_fresh_and_votes_decide() -> None:
    values = {1: "a", 2: "b", 3: "b", 4: "c", 5: "b"}
    search, moves = played(started(RevisionTree(n=5)), scripted(values, {}))
    assert set(search.state.kinds) == {Kind.FRESH}
    assert all(not move.attempts for move in samples_in(moves))
    assert search.verdict().answer == "b"


def falling(move: Move) -> Outcome:
    """Each solution is stepped and different, and its score falls after its second step."""
    if isinstance(move, Score):
        return scores(move, 0.8, 0.7, 0.1, 0.1)
    assert isinstance(move, Sample)
    return solution(move, str(move.node), text=STEPPED.replace("four", f"four {move.node}").removeprefix(move.prefix))


def test_revisions_show_the_way_to_the_best_and_restarts_keep_its_good_steps() -> None:
    search, moves = played(started(RevisionTree(n=40, parallel=2), seed=3), falling)
    nodes = search.state.nodes
    by_kind = {kind: [one for one in samples_in(moves) if search.state.kinds[one.node - 1] is kind] for kind in Kind}
    assert all(by_kind[kind] for kind in Kind)
    for move in by_kind[Kind.REVISION]:
        assert move.attempts[-1] == nodes[move.parent - 1].text
        assert move.prefix == ""
        assert len(move.attempts) <= 4
    for move in by_kind[Kind.RESTART]:
        assert move.prefix == "one\n\ntwo\n\n"
        assert nodes[move.node - 1].text == STEPPED.replace("four", f"four {move.node}")
    assert len(nodes) == 40
    assert sum(isinstance(move, Score) for move in moves) == 40


def test_a_drop_of_zero_never_restarts() -> None:
    search, _ = played(started(RevisionTree(n=40, drop=0.0)), falling)
    assert Kind.RESTART not in search.state.kinds


def improving(move: Move) -> Outcome:
    """A revision closes half of the gap that the latest attempt left; a fresh solution is always poor."""
    if isinstance(move, Score):
        return scores(move, 0.5 if move.solution == "poor" else float(move.solution))
    assert isinstance(move, Sample)
    if not move.attempts:
        return solution(move, "poor", text="poor")
    last = 0.5 if move.attempts[-1] == "poor" else float(move.attempts[-1])
    value = str((1 + last) / 2)
    return solution(move, value, text=value)


def test_what_closes_the_gap_is_done_more_often() -> None:
    search, _ = played(started(RevisionTree(n=60, parallel=1), seed=5), improving)
    kinds = search.state.kinds
    assert kinds.count(Kind.REVISION) > 2 * kinds.count(Kind.FRESH)
    assert search.state.best > 0.99


def test_rewards_by_hand() -> None:
    """0.6 closes 0.6 of the first gap; 0.5 nothing; 0.8 half of what is left; a cut solution nothing."""
    search, moves = started(RevisionTree(n=4, parallel=4)).ask(4)
    search = answered(search, moves[:3], scripted({1: "a", 2: "b", 3: "c"}, {}))
    search = search.tell(cut(moves[3]))
    search, asked = search.ask(4)
    search = answered(search, asked, scripted({}, {1: 0.6, 2: 0.5, 3: 0.8}))
    state = _digested(search.state)
    fresh = state.rewards[0]
    assert (fresh.count, fresh.total) == (4, pytest.approx(0.6 + 0.5))
    assert state.best == 0.8


@pytest.mark.parametrize("selection", ["weighted", "best"])
def test_a_right_answer_found_early_survives_worse_ones_after_it(selection: str) -> None:
    values = {node: "right" if node == 2 else f"w{node}" for node in range(1, 17)}
    marks = {node: 0.9 if node == 2 else 0.3 for node in range(1, 17)}
    search, _ = played(started(RevisionTree(n=16, selection=selection)), scripted(values, marks))
    assert search.verdict().answer == "right"


def test_a_solution_that_is_known_is_no_new_one_to_build_on() -> None:
    def world(move: Move) -> Outcome:
        return scores(move, 0.9, 0.1) if isinstance(move, Score) else solution(move, "7", text="one\n\nsame")

    search, moves = played(started(RevisionTree(n=20, drop=0.0)), world)
    assert [move.id for move in moves if isinstance(move, Score)] == ["score-1"]
    assert [arm.node for arm in _digested(search.state).revisable] == [1]
    assert {move.parent for move in samples_in(moves)} == {0, 1}


def test_failures_use_up_places_and_say_nothing() -> None:
    search, moves = played(started(RevisionTree(n=6)), failed)
    assert [move.id for move in moves] == [f"sample-{node}" for node in range(1, 7)]
    assert all(observed.count == 0 for observed in search.state.rewards)
    assert search.verdict().answer is None
