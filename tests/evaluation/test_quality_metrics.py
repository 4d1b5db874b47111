"""Accuracy at N, ranking, first errors and calibration: cases counted by hand, and slow second implementations."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.quality.arms import CHECKER, ORM, SEQUENCE, prm, votes_by_arm
from evaluation.quality.calibrated import reliability
from evaluation.quality.first_errors import choose_threshold, counts, f1, predicted
from evaluation.quality.metrics import (
    UNFINISHED,
    Vote,
    at_n,
    best,
    difficulty_bins,
    majority,
    pass_at,
    weighted,
    within_problem_auc,
)
from evaluation.quality.ranking import global_auc
from evaluation.quality.record import ProblemItem, ProblemRecord, Solution
from evaluation.statistics import Bootstrap

RIGHT = Vote("q:5", True, 0.9)
WRONG = Vote("q:6", False, 0.3)
OTHER = Vote("q:7", False, 0.2)


def solution(text: str, right: bool, *scores: float, first_error: int | None = None, **changes: object) -> Solution:
    fields: dict[str, object] = {"orm": 0.5, "base": -1.0} | changes
    key = "q:5" if right else "q:6"
    return Solution(text, True, key, right, 3, -1.0, first_error, scores, **fields)  # type: ignore[arg-type]


def record(*solutions: Solution, **changes: object) -> ProblemRecord:
    return ProblemRecord(ProblemItem("a", "1 + 1", "5", "algebra", 1), solutions, **changes)  # type: ignore[arg-type]


def votes(rng: random.Random, n: int) -> list[Vote]:
    kinds = [rng.randrange(5) for _ in range(n)]
    return [
        UNFINISHED if kind == 0 else Vote(f"q:{kind}", kind == 1, rng.choice([0.1, 0.2, 0.3, rng.random()]))
        for kind in kinds
    ]


def test_majority_counts_votes_weighted_sums_scores_best_takes_one() -> None:
    assert not majority([WRONG, WRONG, RIGHT])
    assert weighted([WRONG, WRONG, RIGHT])
    assert not weighted([RIGHT, Vote("q:6", False, 0.5), Vote("q:6", False, 0.5)])
    assert best([RIGHT, Vote("q:6", False, 0.5), Vote("q:6", False, 0.5)])


@pytest.mark.parametrize("select", [majority, weighted, best])
def test_unfinished_solutions_have_no_vote(select: object) -> None:
    assert callable(select)
    assert select([UNFINISHED, UNFINISHED, RIGHT]) is True
    assert select([UNFINISHED]) is False


def test_ties_go_to_what_was_sampled_first() -> None:
    tied = Vote("q:6", False, 0.9)
    for select in (majority, weighted, best):
        assert select([RIGHT, tied])
        assert not select([tied, RIGHT])


def test_fewer_than_all_are_disjoint_groups_in_order() -> None:
    drawn = [RIGHT, WRONG, WRONG, WRONG, RIGHT, RIGHT, WRONG, RIGHT, RIGHT]
    assert at_n(majority, drawn, 1) == pytest.approx(5 / 9)
    assert at_n(majority, drawn, 4) == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="fewer"):
        at_n(majority, drawn, 10)


@pytest.mark.parametrize(("right", "k"), [(0, 2), (1, 1), (2, 3), (3, 6), (4, 2), (6, 6)])
def test_pass_at_k_is_the_share_of_all_subsets(right: int, k: int) -> None:
    subsets = list(itertools.combinations([True] * right + [False] * (6 - right), k))
    assert pass_at(right, 6, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_does_not_guess_beyond_what_was_sampled() -> None:
    with pytest.raises(ValueError, match="pass@8"):
        pass_at(1, 4, 8)


def test_auc_within_a_problem_by_hand_and_by_sorting() -> None:
    assert within_problem_auc([RIGHT, WRONG, Vote("q:8", False, 0.95)]) == 0.5
    assert within_problem_auc([RIGHT, Vote("q:8", False, 0.9)]) == 0.5
    assert within_problem_auc([RIGHT, UNFINISHED]) is None
    rng = random.Random(1)
    for _ in range(50):
        drawn = votes(rng, 20)
        assert within_problem_auc(drawn) == pytest.approx(_auc_by_ranks([one for one in drawn if one.key]), nan_ok=True)


def _auc_by_ranks(cast: Sequence[Vote]) -> float | None:
    """Mann-Whitney's U from mid-ranks."""
    rights = sum(one.right for one in cast)
    if rights in (0, len(cast)):
        return None
    ordered = sorted(one.score for one in cast)
    ranks = {s: (2 * ordered.index(s) + ordered.count(s) + 1) / 2 for s in ordered}
    total = sum(ranks[one.score] for one in cast if one.right)
    return (total - rights * (rights + 1) / 2) / (rights * (len(cast) - rights))


def test_auc_over_all_solutions_rewards_what_the_one_within_ignores() -> None:
    easy = [Vote("q:5", True, 0.9), Vote("q:5", True, 0.9), Vote("q:6", False, 0.95)]
    hard = [Vote("q:6", False, 0.1), Vote("q:6", False, 0.1), Vote("q:5", True, 0.05)]
    problems = [easy, hard]
    assert [within_problem_auc(one) for one in problems] == [0.0, 0.0]
    assert global_auc(problems, Bootstrap(2).counts).value == pytest.approx(4 / 9)
    rng = random.Random(2)
    many = [votes(rng, 12) for _ in range(8)]
    flat = [one for some in many for one in some if one.key]
    assert global_auc(many, Bootstrap(8).counts).value == pytest.approx(_auc_by_ranks(flat))


def test_difficulty_bins_are_equal_and_of_measured_pass_rates() -> None:
    assert difficulty_bins([0.1, 0.9, 0.5, 0.5, 0.0]) == [3, 0, 1, 2, 4]
    assert sorted(difficulty_bins([0.0] * 10)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_the_first_step_below_the_threshold_is_the_predicted_error() -> None:
    assert predicted([0.9, 0.4, 0.2], 0.5) == 1
    assert predicted([0.9, 0.5], 0.5) is None


def test_first_error_f1_by_hand() -> None:
    found = record(
        solution("a", False, 0.9, 0.1, first_error=1),  # found
        solution("b", False, 0.2, 0.1, first_error=1),  # too early
        solution("c", False, 0.9, 0.9, first_error=0),  # missed
        solution("a", False, 0.9, 0.1, first_error=1),  # the same text again: counts once
        solution("d", True, 0.9, 0.8),  # accepted
        solution("e", False, 0.1),  # a wrong answer without a wrong step has no label
    )
    table = counts(found, 0.5)
    assert table == (1, 3, 1, 1)
    assert float(f1(np.array(table, dtype=float))) == pytest.approx(2 * (1 / 3) / (1 / 3 + 1))
    assert float(f1(np.array([0, 3, 0, 2], dtype=float))) == 0.0


def test_the_threshold_is_the_best_of_the_calibration_split() -> None:
    calibration = [
        record(solution("a", False, 0.7, 0.3, first_error=1), solution("b", True, 0.8, 0.6)),
        record(solution("c", False, 0.4, 0.2, first_error=0), solution("d", True, 0.5, 0.9)),
    ]
    threshold = choose_threshold(calibration)
    assert 0.4 < threshold <= 0.5
    assert np.sum([counts(one, threshold) for one in calibration], axis=0).tolist() == [2, 2, 2, 2]
    assert choose_threshold([record()]) == 0.5


def test_ece_by_hand() -> None:
    problems = [[Vote("q:5", True, 0.75), Vote("q:6", False, 0.75)], [Vote("q:5", True, 1.0), UNFINISHED]]
    found = reliability(problems, Bootstrap(2))
    assert found.ece.value == pytest.approx((2 * 0.25 + 0.0) / 3)
    assert found.counts == (0, 0, 0, 0, 0, 0, 0, 2, 0, 1)
    assert found.shares[7].value == 0.5
    assert not found.shares[0].known


def test_each_scorer_votes_with_its_own_numbers() -> None:
    lucky = solution("a", True, 0.2, 0.6, first_error=0, orm=0.1, base=-2000.0)
    sound = solution("b", True, 0.9, 0.5, orm=0.7, base=-1999.0)
    cut = Solution("c", False, None, False, 9, -3.0)
    arms = votes_by_arm([record(lucky, sound, cut)])
    scores = {name: [vote.score for vote in some[0][:2]] for name, some in arms.items()}
    assert scores[prm("last")] == [0.6, 0.5]
    assert scores[prm("min")] == [0.2, 0.5]
    assert scores[prm("product")] == pytest.approx([0.12, 0.45])
    assert scores[prm("mean")] == pytest.approx([0.4, 0.7])
    assert scores[ORM] == [0.1, 0.7]
    assert scores[CHECKER] == [0.0, 1.0]
    assert scores[SEQUENCE] == pytest.approx([math.exp(-1), 1.0])
    assert all(some[0][2] == UNFINISHED for some in arms.values())


def test_a_scorer_that_is_not_there_is_left_out() -> None:
    arms = votes_by_arm([record(solution("a", True, 0.6, orm=None, base=None))])
    assert not {ORM, SEQUENCE} & set(arms)
