"""Monte-Carlo tree search by small trees worked out by hand."""

import itertools

import pytest

from domain.moves import Move, Outcome, Sample, Score, split_steps
from domain.specs.stochastic import Mcts
from search.puct import TOP, Place, backed_up, best_child, give_up, inserted, set_out, steps_to, wants_sample
from tests.support.searching import answered, cut, failed, played, samples_in, scores, solution, started


@pytest.mark.parametrize(
    ("visits", "widening", "most"), [(0, 0.5, 2), (3, 0.5, 4), (8, 0.5, 6), (100, 0.0, 2), (3, 1.0, 8)]
)
def test_widening(visits: int, widening: float, most: int) -> None:
    assert wants_sample(Place(asked=most - 1, visits=visits), 2, widening)
    assert not wants_sample(Place(asked=most, visits=visits), 2, widening)


def test_puct_by_hand() -> None:
    """Root seen 8 times; child 1: value 0.6, 4 visits, taken 3 times of 4; child 2: value 0.5, 1 visit.

    0.6 + 0.75 × √8 / 5 = 1.024 and 0.5 + 0.25 × √8 / 2 = 0.854; with two simulations in flight below child 1
    2.4 / 6 + 0.75 × √10 / 7 = 0.739 and 0.5 + 0.25 × √10 / 2 = 0.895.
    """
    top = Place(children=(1, 2), visits=8, told=8, total=4.0)
    one, two = Place("a", count=3, visits=4, told=4, total=2.4), Place("b", count=1, visits=1, told=1, total=0.5)
    assert best_child([top, one, two], TOP, (1, 2), 1.0) == 1
    top, busy = Place(children=(1, 2), visits=8, open=2), Place("a", count=3, visits=4, open=2, told=4, total=2.4)
    assert best_child([top, busy, two], TOP, (1, 2), 1.0) == 2
    assert best_child([top, busy, two], TOP, (1, 2), 0.0) == 2  # 0.4 and 0.5


def test_a_child_without_a_value_takes_its_parents() -> None:
    top = Place(children=(1, 2), visits=2, told=1, total=0.7)
    known, unknown = Place("a", count=1, visits=1, told=1, total=0.6), Place("b", count=1, visits=1)
    assert best_child([top, known, unknown], TOP, (1, 2), 0.0) == 2


def test_steps_are_merged_and_values_backed_up_by_hand() -> None:
    places = [Place()]
    for node in (1, 2, 3):
        set_out(places, TOP)
        assert places[TOP].open == node
    ends = [inserted(places, TOP, steps, at) for at, steps in enumerate((["a", "b"], ["a", "c"], ["a"]), start=1)]
    assert [place.step for place in places] == ["", "a", "b", "c", "a"]  # the last one ends, so it is another place
    assert [place.count for place in places[1:]] == [2, 1, 1, 1]
    assert (places[TOP].asked, places[1].asked) == (3, 2)
    assert steps_to(places, ends[1]) == ["a", "c"]
    give_up(places, TOP)
    backed_up(places, ends[0], 0.5, (0.25, 0.5))
    give_up(places, TOP)
    backed_up(places, ends[1], 0.875, (0.25, 0.875))
    assert (places[TOP].visits, places[TOP].told, places[TOP].total, places[TOP].open) == (2, 2, 1.375, 1)
    assert (places[1].visits, places[1].told, places[1].total) == (2, 3, 0.25 + 0.5 + 0.875)  # its own score once
    backed_up(places, ends[2], None, ())
    assert (places[TOP].visits, places[TOP].told) == (3, 2)


def good_and_bad(move: Move) -> Outcome:
    """Three steps make a solution, each g or b by the bits of its node; the score of a beginning is its share of g."""
    if isinstance(move, Score):
        parts = split_steps(move.solution)
        return scores(move, *[sum(p.startswith("g") for p in parts[:at]) / at for at in range(1, len(parts) + 1)])
    assert isinstance(move, Sample)
    done = split_steps(move.prefix)
    steps = ["gb"[move.seed >> at & 1] for at in range(3 - len(done))]
    return solution(move, "".join([*done, *steps]), text="\n\n".join(steps))


def test_it_spends_more_below_good_beginnings() -> None:
    search, moves = played(started(Mcts(n=80)), good_and_bad)
    deep = [split_steps(move.prefix) for move in samples_in(moves) if move.prefix]
    assert len(samples_in(moves)) == 80
    assert max(map(len, deep)) == 2  # never beyond an end
    assert sum(steps[0] == "g" for steps in deep) > 2 * sum(steps[0] == "b" for steps in deep)
    assert search.verdict().answer == "ggg"
    assert search.verdict().solution == "g\n\ng\n\ng"


def test_each_distinct_solution_is_scored_once_and_each_sample_is_a_ballot() -> None:
    search, moves = played(started(Mcts(n=60)), good_and_bad)
    texts = [move.solution for move in moves if isinstance(move, Score)]
    assert len(texts) == len(set(texts)) == len({node.text for node in search.state.nodes})
    assert sum(one.votes for one in search.verdict().candidates) == 60


def test_the_last_sample_votes_even_when_nothing_is_asked_after_it() -> None:
    def same(move: Move) -> Outcome:
        return scores(move, 0.5) if isinstance(move, Score) else solution(move, "7", text="7")

    search, moves = played(started(Mcts(n=6, parallel=2)), same)
    assert [move.id for move in moves if isinstance(move, Score)] == ["score-1"]
    assert search.verdict().candidates[0].votes == 6


def test_a_twin_that_arrives_with_the_score_of_the_first_counts_once() -> None:
    """Node 2 is sampled first and scored; its twin, node 1, and that score are taken in together."""
    search, moves = started(Mcts(n=4, parallel=2)).ask(2)
    search = search.tell(solution(moves[1], "7", text="7"))
    search, asked = search.ask(2)
    assert [move.id for move in asked] == ["score-2"]
    search = search.tell(solution(moves[0], "7", text="7")).tell(scores(asked[0], 0.5))
    search, _ = search.ask(2)
    top = search.state.places[TOP]
    assert (top.visits, top.open, top.total) == (2, 2, 1.0)


def test_no_more_than_parallel_simulations_are_open() -> None:
    search, moves = started(Mcts(n=60, parallel=3)).ask(50)
    assert len(moves) == 3
    search = answered(search, moves[:1], good_and_bad)
    search, more = search.ask(50)
    assert [move.id for move in more] == ["score-1"]  # its simulation is not over before the score is there
    assert search.ask(50) == (search, ())


def test_cut_texts_are_worth_nothing_and_failed_calls_are_not_counted() -> None:
    def world(move: Move) -> Outcome:
        if isinstance(move, Sample) and move.node <= 2:
            return cut(move) if move.node == 1 else failed(move)
        return good_and_bad(move)

    search, _ = played(started(Mcts(n=3, parallel=1)), world)
    search, _ = search.ask(1)
    top = search.state.places[TOP]
    assert (top.visits, top.asked) == (1, 3)  # the score of node 3 is in the news, and nothing is left to ask
    assert (top.told, top.total) == (1, 0.0)
    assert sum(one.votes for one in search.verdict().candidates) == 1


def test_without_a_verifier_it_still_ends_and_votes_decide() -> None:
    def world(move: Move) -> Outcome:
        return failed(move) if isinstance(move, Score) else good_and_bad(move)

    search, moves = played(started(Mcts(n=40)), world)
    assert len(samples_in(moves)) == 40
    assert "most votes" in search.verdict().why


@pytest.mark.parametrize("parallel", [1, 4])
def test_every_order_within_a_round_gives_the_same_state(parallel: int) -> None:
    search = started(Mcts(n=12, parallel=parallel))
    for _ in range(12):
        search, moves = search.ask(4)
        ends = [answered(search, order, good_and_bad) for order in itertools.permutations(moves)]
        assert all(end == ends[0] and end.ask(4) == ends[0].ask(4) for end in ends)
        search = ends[0]


@pytest.mark.parametrize("selection", ["weighted", "best"])
def test_a_right_answer_found_early_survives(selection: str) -> None:
    def world(move: Move) -> Outcome:
        if isinstance(move, Score):
            return scores(move, 0.9 if "right" in move.solution else 0.3)
        text = "right" if move.node == 1 else f"w{move.node}"
        return solution(move, text, text=text)

    search, _ = played(started(Mcts(n=16, selection=selection)), world)
    assert search.verdict().answer == "right"
