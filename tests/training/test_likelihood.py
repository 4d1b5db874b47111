"""The head of the verifier learns which solution of a problem is right, and not only which problems are easy."""

from __future__ import annotations

import random

import pytest
import torch

from inference.verifiers.likelihood_features import FEATURES
from inference.verifiers.step_likelihood import LikelihoodHead
from training.likelihood import Scored, ranking, train_head
from training.recipe import HeadRecipe

EASE, SURPRISE = 0, 1


def solutions(problems: int) -> list[Scored]:
    """One feature says loudly how easy the problem is, another softly what is wrong with this solution."""
    draw, found = random.Random(5), []
    for number in range(problems):
        ease = draw.random()
        for _ in range(8):
            right = draw.random() < ease
            features = torch.zeros(1, len(FEATURES))
            features[0, EASE] = ease
            features[0, SURPRISE] = draw.gauss(0.7 if right else -0.7, 1.0)
            label = min(1.0, max(0.0, 0.8 * ease + (0.1 if right else -0.1)))
            found.append(Scored(str(number), features, torch.tensor([label]), right))
    return found


@pytest.fixture(scope="module")
def given() -> list[Scored]:
    return solutions(60)


def last_logits(head: LikelihoodHead, given: list[Scored]) -> torch.Tensor:
    with torch.no_grad():
        return head(torch.stack([one.features[-1] for one in given]))


def test_it_ranks_within_problems(given: list[Scored]) -> None:
    head, auc = train_head(given, HeadRecipe(steps=40, rate=0.02), seed=0)
    assert auc > 0.75
    assert ranking(head, solutions(40)) > 0.75


def test_solutions_of_one_problem_differ_more_by_the_ranking_loss(given: list[Scored]) -> None:
    def spread(within: float) -> float:
        head, _ = train_head(given, HeadRecipe(steps=40, rate=0.02, within=within, sharpness=1.0), seed=0)
        return float(last_logits(head, given).reshape(-1, 8).std(1).mean())

    assert spread(3.0) > 1.5 * spread(0.0)


def test_sharpness_multiplies_the_logits_and_keeps_the_ranking(given: list[Scored]) -> None:
    plain, sharp = (train_head(given, HeadRecipe(20, 0.02, sharpness=factor), seed=0) for factor in (1.0, 2.0))
    assert plain[1] == sharp[1]
    torch.testing.assert_close(2.0 * last_logits(plain[0], given), last_logits(sharp[0], given))


def test_without_a_problem_of_both_kinds_the_labels_alone_are_learnt() -> None:
    alike = [Scored("a", torch.zeros(1, len(FEATURES)), torch.tensor([1.0]), True) for _ in range(4)]
    given = alike + [Scored("b", torch.ones(1, len(FEATURES)), torch.tensor([0.0]), False) for _ in range(4)]
    head, auc = train_head(given, HeadRecipe(steps=20, rate=0.01), seed=0)
    assert auc == -1.0
    assert torch.isfinite(last_logits(head, given)).all()
