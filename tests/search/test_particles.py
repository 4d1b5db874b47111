"""Particle filtering by small trees worked out by hand."""

import itertools
import math

import pytest

from domain.moves import Move, Outcome, Sample, Score, split_steps
from domain.specs.stochastic import Particles
from search.contenders import Contender
from search.particles import EDGE, weights
from search.tree import Node
from tests.support.searching import answered, cut, failed, played, samples_in, scores, solution, started, step


def contender(node: int, count: int, value: float | None) -> Contender:
    return Contender(Node(node), 0, count, value)


def test_weights_are_odds_times_how_often_a_step_was_sampled() -> None:
    group = [contender(1, 1, 0.75), contender(2, 2, 0.5), contender(3, 1, 0.25)]  # odds 3, 1, 1/3
    assert weights(group, 1.0) == pytest.approx([1.0, 2 / 3, 1 / 9])
    assert weights(group, 0.5) == pytest.approx([1.0, 2 / 9, 1 / 81])


def test_certain_scores_have_finite_weights() -> None:
    got = weights([contender(1, 1, 1.0), contender(2, 1, 0.0), contender(3, 1, 1 - EDGE)], 1.0)
    assert got[0] == got[2] == 1.0
    assert 0.0 < got[1] < 1e-10


def test_without_scores_only_frequency_counts() -> None:
    assert weights([contender(1, 3, None), contender(2, 1, None)], 1.0) == [3.0, 1.0]


def two_ways(move: Move) -> Outcome:
    """The first step is A (nodes 1 and 2) or B (3 and 4), the second ends; A has odds of 3, B of 1 / 3."""
    if isinstance(move, Score):
        way = 0.75 if move.solution.startswith("A") else 0.25
        return scores(move, *[way] * len(split_steps(move.solution)))
    if isinstance(move, Sample) and not move.prefix:
        return step(move, "A" if move.node <= 2 else "B")
    return solution(move, move.prefix[0], text=f"end {move.node}")  # type: ignore[union-attr]


def test_places_are_given_in_proportion_to_the_odds() -> None:
    """Four places at shares of 0.9 and 0.1: A has three of them or all four, by one draw."""
    ends = {seed: played(started(Particles(n=4), seed), two_ways) for seed in range(40)}
    counts = {
        seed: [m.prefix[0] for m in samples_in(moves) if m.prefix].count("A") for seed, (_, moves) in ends.items()
    }
    assert set(counts.values()) == {3, 4}
    assert 0.2 < list(counts.values()).count(3) / len(counts) < 0.6  # 0.4 expected


def test_identical_steps_are_scored_once_and_extended_as_often_as_drawn() -> None:
    search, moves = played(started(Particles(n=4), 1), two_ways)
    assert [move.id for move in moves if isinstance(move, Score)][:2] == ["score-1", "score-3"]
    assert len(samples_in(moves)) == 8
    assert search.verdict().answer == "A"
    assert search.verdict().solution is not None
    assert search.verdict().solution.startswith("A\n\nend ")


def early_end(move: Move) -> Outcome:
    """Node 1 ends at once, with a poor score; the others go on for three steps, each with a better score."""
    if isinstance(move, Score):
        return scores(move, *[0.05 if "early" in move.solution else 0.9] * len(split_steps(move.solution)))
    assert isinstance(move, Sample)
    if move.node == 1:
        return solution(move, "early", text="early")
    depth = len(split_steps(move.prefix))
    return solution(move, "late", text="end") if depth == 2 else step(move, f"{depth}.{move.node}")


def test_finished_particles_are_kept_and_not_asked_again() -> None:
    search, moves = played(started(Particles(n=4)), early_end)
    assert {one.answer for one in search.verdict().candidates} == {"early", "late"}
    assert sum(one.votes for one in search.verdict().candidates) == 4
    assert [len(split_steps(m.prefix)) for m in samples_in(moves)] == [0] * 4 + [1] * 3 + [2] * 3


def test_places_of_cut_and_failed_samples_are_drawn_anew() -> None:
    def world(move: Move) -> Outcome:
        if isinstance(move, Sample) and move.node == 1:
            return cut(move)
        if isinstance(move, Sample) and move.node == 2:
            return failed(move)
        return two_ways(move)

    _, moves = played(started(Particles(n=4), 1), world)
    assert [m.prefix for m in samples_in(moves) if m.prefix] == ["B\n\n"] * 4


def test_it_ends_after_the_last_step_that_is_allowed() -> None:
    def endless(move: Move) -> Outcome:
        if isinstance(move, Score):
            return scores(move, *[0.5] * len(split_steps(move.solution)))
        return step(move, "more")

    search, moves = played(started(Particles(n=3, max_steps=5)), endless)
    assert len(samples_in(moves)) == 15
    assert search.verdict().answer is None


@pytest.mark.parametrize("resampling", ["systematic", "multinomial"])
def test_every_order_of_arrival_gives_the_same_end(resampling: str) -> None:
    spec, ends = Particles(n=3, resampling=resampling), set()
    for choices in itertools.product(range(3), repeat=4):
        search, pending, at = started(spec, 5), [], itertools.cycle(choices)
        while True:
            search, moves = search.ask(3)
            pending += moves
            if not pending:
                break
            search = answered(search, [pending.pop(next(at) % len(pending))], two_ways)
        ends.add((search.state.nodes, search.verdict()))
    assert len(ends) == 1


def test_without_a_verifier_samples_go_on_as_they_came_and_votes_decide() -> None:
    def world(move: Move) -> Outcome:
        return failed(move) if isinstance(move, Score) else two_ways(move)

    search, moves = played(started(Particles(n=4)), world)
    assert sorted(m.prefix[0] for m in samples_in(moves) if m.prefix) == ["A", "A", "B", "B"]
    assert search.verdict().why.startswith("A has the most votes")
    assert math.isclose(search.verdict().confidence, 0.5 * 4 / 5)
