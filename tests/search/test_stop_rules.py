"""The stop rules against independent computations, and the law by which samples are asked side by side."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.specs.adaptive_voting import AdaptiveVoting
from search.stop_rules import (
    RULES,
    fewest_more,
    leader_beats_second,
    leader_is_largest,
    leading_two,
    still_leads,
    stops,
)

VOTES = st.lists(st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, None]), max_size=30)


def one_by_one(spec: AdaptiveVoting, votes: list[int | None]) -> int:
    """How many votes a sampler that asks after each single one takes."""
    return next((taken for taken in range(len(votes) + 1) if stops(spec, votes[:taken])), len(votes))


def integrated(first: int, second: int, steps: int = 4000) -> float:
    """The Beta rule's probability by the trapezoid rule (never by a special function)."""
    curve = [(at / steps) ** first * (1 - at / steps) ** second for at in range(steps + 1)]
    half = steps // 2
    return (sum(curve[half:]) - curve[half] / 2 - curve[-1] / 2) / (sum(curve) - curve[0] / 2 - curve[-1] / 2)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (4, 0), (9, 4), (20, 20), (30, 10), (3, 2)])
def test_the_beta_rule_is_the_papers_integral(first: int, second: int) -> None:
    assert leader_beats_second(first, second) == pytest.approx(integrated(first, second), abs=1e-6)
    exact = sum(comb(first + second + 1, k) for k in range(first + 1)) / 2 ** (first + second + 1)
    assert leader_beats_second(first, second) == pytest.approx(exact, abs=1e-12)


def test_four_unanimous_answers_stop_the_beta_rule_at_095_and_three_do_not() -> None:
    spec = AdaptiveVoting(rule="beta")
    assert [stops(spec, [7] * count) for count in range(6)] == [False, False, False, False, True, True]


def test_the_horizon_rule_is_a_simulated_future() -> None:
    rng = random.Random(3)
    for first, second, left in [(3, 0, 20), (5, 3, 11), (2, 2, 7), (9, 4, 30)]:
        kept = 0.0
        for _ in range(20_000):
            share = rng.betavariate(first + 1, second + 1)
            more = sum(rng.random() < share for _ in range(left))
            lead = first + more - (second + left - more)
            kept += 1.0 if lead > 0 else 0.5 if lead == 0 else 0.0
        assert still_leads(first, second, left) == pytest.approx(kept / 20_000, abs=0.015)


def test_the_horizon_rule_is_certain_when_the_leader_cannot_be_caught() -> None:
    assert still_leads(21, 18, 1) == 1.0
    assert still_leads(3, 2, 0) == 1.0
    assert still_leads(2, 2, 0) == 0.5
    assert still_leads(3000, 10, 1000) == pytest.approx(1.0)
    spec = AdaptiveVoting(rule="horizon", threshold=1.0)
    assert not stops(spec, [0] * 20)
    assert stops(spec, [0] * 21)


def test_the_dirichlet_rule_is_a_simulated_posterior() -> None:
    rng = random.Random(4)
    for counts in [(5, 2, 1), (3, 3, 3), (10, 4, 4, 1, 1), (40, 30, 5)]:
        wins = 0
        for _ in range(20_000):
            draws = [rng.gammavariate(count + 1, 1.0) for count in counts]
            wins += draws[0] == max(draws)
        assert leader_is_largest(counts) == pytest.approx(wins / 20_000, abs=0.015)


def test_the_dirichlet_rule_with_equal_counts_is_even() -> None:
    assert leader_is_largest((3, 3, 3)) == pytest.approx(1 / 3, abs=1e-6)
    assert leader_is_largest((2000, 2000, 2000, 2000)) == pytest.approx(1 / 4, abs=1e-6)


def test_the_window_rule_reads_whole_windows() -> None:
    spec = AdaptiveVoting(rule="window", window=3)
    assert not stops(spec, [1, 2, 2, 2])
    assert not stops(spec, [None, None, None])
    assert stops(spec, [1, 2, 2, 3, 3, 3])


def test_the_margin_rule_counts_the_lead() -> None:
    spec = AdaptiveVoting(rule="margin", margin=3)
    assert not stops(spec, [1, 1, 1, 2])
    assert stops(spec, [1, 2, 1, 1, None, 1])


@settings(max_examples=150, deadline=None)
@given(VOTES, st.sampled_from(sorted(RULES)), st.integers(1, 30), st.integers(1, 5))
def test_rounds_sample_what_one_by_one_sampling_samples(votes: list[int | None], rule: str, n: int, size: int) -> None:
    """The law: as many as could not be one too many; and `fewest_more` is reached by some continuation."""
    spec = AdaptiveVoting(n=n, rule=rule, margin=size, window=size + 1)
    taken = 0
    while taken < len(votes) and (more := fewest_more(spec, votes[:taken])):
        taken += more
    sequential = one_by_one(spec, votes)
    assert taken == sequential or taken > len(votes) >= sequential == len(votes)


@settings(max_examples=100, deadline=None)
@given(VOTES.filter(lambda votes: any(vote is not None for vote in votes)))
def test_more_votes_for_the_leader_never_undo_a_decision(votes: list[int | None]) -> None:
    leader = Counter(vote for vote in votes if vote is not None).most_common(1)[0][0]
    for rule in ("beta", "dirichlet", "horizon", "margin"):
        spec = AdaptiveVoting(rule=rule, n=1000 if rule != "horizon" else 60)
        if stops(spec, votes):
            assert stops(spec, [*votes, leader])


def test_samples_without_an_answer_use_up_places_and_vote_for_nobody() -> None:
    spec = AdaptiveVoting(n=4, rule="beta")
    assert leading_two([None, 3, None, 3, 5]) == (2, 1)
    assert not stops(spec, [None] * 3)
    assert stops(spec, [None] * 4)
    assert fewest_more(replace(spec, n=10), [None] * 3) == 4
