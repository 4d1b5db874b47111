"""Accuracy at N and ranking within a problem, on cases that can be counted by hand."""

from __future__ import annotations

import math

import pytest

from training.metrics import (
    Graded,
    accuracy,
    any_right,
    best,
    estimate,
    majority,
    weighted,
    within_problem_auc,
)

RIGHT = Graded("5", True, 0.9)
WRONG = Graded("6", False, 0.3)
LOST = Graded(None, False, 0.0)


def test_majority_counts_votes_and_weighted_sums_scores() -> None:
    samples = [WRONG, WRONG, RIGHT]
    assert not majority(samples)
    assert weighted(samples)
    assert weighted([RIGHT, Graded("6", False, 0.5), Graded("6", False, 0.5)]) is False


def test_best_takes_the_highest_score_and_nothing_unfinished() -> None:
    assert best([WRONG, RIGHT, WRONG])
    assert not best([LOST, WRONG])
    assert not best([LOST])
    assert not majority([LOST, LOST])


def test_log_probabilities_may_be_scores_too() -> None:
    assert best([Graded("6", False, -9.0), Graded("5", True, -2.0), LOST])


def test_smaller_n_averages_disjoint_groups() -> None:
    problems = [[RIGHT, WRONG, WRONG, WRONG], [RIGHT, RIGHT, WRONG, WRONG]]
    assert accuracy(problems, any_right, 4).mean == 1.0
    assert accuracy(problems, any_right, 2).mean == 0.5
    assert accuracy(problems, any_right, 1).mean == pytest.approx(3 / 8)


def test_the_standard_error_is_that_of_the_mean() -> None:
    found = estimate([0.0, 1.0, 0.0, 1.0])
    assert (found.mean, found.problems) == (0.5, 4)
    assert found.error == pytest.approx(math.sqrt(1 / 3) / 2)


def test_auc_within_a_problem_ignores_how_hard_problems_are() -> None:
    easy = [Graded("5", True, 0.9), Graded("6", False, 0.95)]
    hard = [Graded("5", True, 0.1), Graded("6", False, 0.15)]
    found = within_problem_auc([easy, hard, [RIGHT, RIGHT], [WRONG], [RIGHT, LOST]])
    assert (found.mean, found.problems) == (0.0, 2)
    assert within_problem_auc([[RIGHT, WRONG, Graded("7", False, 0.9)]]).mean == pytest.approx(0.75)
    assert within_problem_auc([[RIGHT]]).problems == 0
