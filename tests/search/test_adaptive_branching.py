"""Adaptive branching by hand-made cases."""

from dataclasses import replace

import pytest

from domain.moves import ROOT, Move, Outcome, Sample, Score
from domain.specs.stochastic import AdaptiveBranching
from search.adaptive_branching import AdaptiveBranchingStrategy, State, _digested
from search.posteriors import Observed
from search.replay import Search
from tests.support.searching import answered, played, samples_in, scores, scripted, solution, started

PRIORS = ["beta", "gaussian"]


def test_the_first_solutions_are_fresh_until_one_is_scored() -> None:
    search, moves = started(AdaptiveBranching(n=8, parallel=3)).ask(8)
    assert [(move.id, move.parent) for move in samples_in(moves)] == [(f"sample-{i}", ROOT) for i in (1, 2, 3)]
    assert search.ask(8) == (search, ())


def places(search: Search) -> tuple[tuple[tuple[int, float], ...], ...]:
    """(count, total) of own, new and deeper for the root and each node."""
    return tuple(
        tuple((observed.count, observed.total) for observed in (place.own, place.new, place.deeper))
        for place in search.state.places
    )


def test_scores_are_told_to_all_above_by_hand() -> None:
    """1 and 2 are fresh; 3 revises 1; 4 revises 3."""
    parents, marks = {1: 0, 2: 0, 3: 1, 4: 3}, {1: 0.5, 2: 0.25, 3: 1.0, 4: 0.125}
    search = chained(parents, marks)
    assert places(search) == (
        ((0, 0.0), (2, 0.75), (2, 1.125)),  # root: two children, and two scores from deeper
        ((3, 1.625), (1, 1.0), (1, 0.125)),
        ((1, 0.25), (0, 0.0), (0, 0.0)),
        ((2, 1.125), (1, 0.125), (0, 0.0)),
        ((1, 0.125), (0, 0.0), (0, 0.0)),
    )
    assert [place.children for place in search.state.places] == [(1, 2), (3,), (), (4,), ()]


def chained(parents: dict[int, int], marks: dict[int, float]) -> Search:
    """A search whose decisions came out as `parents` says: the first seed that gives that tree."""
    world = scripted({node: str(node) for node in parents}, marks)
    for seed in range(2000):
        search, _ = played(started(AdaptiveBranching(n=len(parents), parallel=1), seed), world)
        if {node.id: node.parent for node in search.state.nodes} == parents:
            state = AdaptiveBranchingStrategy().ask(search.state, 0)[0]
            return _told(search, state)
    raise AssertionError("no seed gives this tree")


def _told(search: Search, state: State) -> Search:
    return replace(search, state=_digested(state))


@pytest.mark.parametrize("prior", PRIORS)
def test_a_revision_sees_the_way_from_the_root(prior: str) -> None:
    count = 40
    world = scripted({node: str(node) for node in range(1, count + 1)}, dict.fromkeys(range(1, count + 1), 0.5))
    search, moves = played(started(AdaptiveBranching(n=count, prior=prior)), world)
    for move in samples_in(moves):
        path, at = [], move.parent
        while at != ROOT:
            path.append(f"step\n\n{at}:{at}")
            at = search.state.nodes[at - 1].parent
        assert move.attempts == tuple(reversed(path))[-4:]
    assert sum(isinstance(move, Score) for move in moves) == len(samples_in(moves)) == count


def revisions_help(move: Move) -> Outcome:
    if isinstance(move, Score):
        return scores(move, float(move.solution))
    assert isinstance(move, Sample)
    value = str(min(0.95, 0.1 + 0.3 * len(move.attempts)) + 1e-6 * move.node)
    return solution(move, value, text=value)


def revisions_harm(move: Move) -> Outcome:
    if isinstance(move, Score):
        return scores(move, float(move.solution))
    assert isinstance(move, Sample)
    value = str((0.05 if move.attempts else 0.8) + 1e-6 * move.node)
    return solution(move, value, text=value)


@pytest.mark.parametrize("prior", PRIORS)
def test_it_goes_deeper_where_revisions_help_and_wider_where_they_harm(prior: str) -> None:
    deeper, _ = played(started(AdaptiveBranching(n=60, parallel=1, prior=prior), 2), revisions_help)
    wider, _ = played(started(AdaptiveBranching(n=60, parallel=1, prior=prior), 2), revisions_harm)
    roots = [sum(node.parent == ROOT for node in search.state.nodes) for search in (deeper, wider)]
    assert roots[0] < 20
    assert roots[1] > 40


@pytest.mark.parametrize("selection", ["weighted", "best"])
def test_a_right_answer_found_early_survives(selection: str) -> None:
    values = {node: "right" if node == 1 else f"w{node}" for node in range(1, 17)}
    marks = {node: 0.9 if node == 1 else 0.3 for node in range(1, 17)}
    search, _ = played(started(AdaptiveBranching(n=16, selection=selection)), scripted(values, marks))
    assert search.verdict().answer == "right"


def test_a_failed_score_tells_nothing_and_has_no_children() -> None:
    values = {node: "b" if node > 2 else "a" for node in range(1, 9)}
    search, moves = played(started(AdaptiveBranching(n=8)), scripted(values, {}))
    assert all(move.parent == ROOT for move in samples_in(moves))
    assert all(place.new == Observed() for place in search.state.places)
    assert search.verdict().answer == "b"


def test_truncated_and_failed_solutions_use_up_places() -> None:
    search, moves = played(
        started(AdaptiveBranching(n=4)), scripted({1: "-", 2: "!", 3: "a", 4: "a"}, {3: 0.5, 4: 0.5})
    )
    assert len(samples_in(moves)) == 4
    assert search.verdict().confidence == pytest.approx(2 / 4)
    assert answered(search, [], scripted({}, {})) == search


def test_an_equal_solution_is_evidence_without_another_call() -> None:
    def world(move: Move) -> Outcome:
        return scores(move, 0.5) if isinstance(move, Score) else solution(move, "7", text="same")

    search, moves = played(started(AdaptiveBranching(n=6, parallel=2)), world)
    assert [move.id for move in moves if isinstance(move, Score)] == ["score-1"]
    state = _digested(search.state)
    assert state.places[0].new.count + state.places[0].deeper.count == 6
    assert search.verdict().candidates[0].votes == 6
