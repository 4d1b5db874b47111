"""A small calibration made by hand, and graded problems drawn from a seed."""

from __future__ import annotations

import random

from domain.calibration import Actions, ActionValue, Calibration, Choice, ConfidenceModel, Difficulty, Logistic
from domain.recipe import StrategySpec
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.tree import Beam
from evaluation.calibration_fit.traces import GradedProblem, GradedSample

VOTING = Logistic(("share",), (0.0,), (1.0,), (1.0,), 0.0)
SCORING = Logistic(("best", "share"), (0.0, 0.0), (1.0, 1.0), (1.0, 0.5), 0.0)
FIRST = 0.1
IDENTITY = ((0.0, 1.0), (0.0, 1.0))


def hand_made(*ladder: StrategySpec) -> Calibration:
    """Confidence is the logistic itself; all actions gain where the search is unsure, nothing where it is sure."""
    models = tuple(
        ConfidenceModel(family, VOTING if family == "votes" else SCORING, *IDENTITY, 100, 64)
        for family in ("votes", "scored", "best", "likeliest", "searched", "searched_again")
    )
    values = [
        ActionValue("score", 4, False, 4, (0.2, 0.0), (2.0, 2.0)),
        ActionValue("sample", 4, True, 8, (0.1, 0.0), (8.0, 8.0)),
        ActionValue("sample", 8, True, 16, (0.1, 0.0), (16.0, 16.0)),
    ]
    for rung, search in enumerate(ladder):
        values.append(ActionValue("search", 4, True, 4, (0.5, 0.0), (4.0, 4.0), search, rung, rung + 1))
    choices = (
        Choice(0, 2, SelfConsistency(n=3), 0.9, 3.0),
        Choice(1, 2, BestOfN(n=5, selection="best"), 0.5, 5.0),
        Choice(1, 8, Beam(n=3, width=3, max_steps=4), 0.6, 9.0),
        Choice(1, 12, Beam(n=3, width=3, max_steps=4), 0.7, 14.0, (Beam(n=2, width=2, max_steps=2), BestOfN(n=2))),
    )
    difficulty = Difficulty(3, True, VOTING, (0.5,))
    return Calibration("abc", "", 1.0, models, difficulty, choices, Actions((0.85, 1.0), tuple(values)), 100)


def graded_problems(count: int, samples: int = 16, seed: int = 0) -> list[GradedProblem]:
    """Problems of all difficulties, and a verifier that knows more than the votes."""
    rng = random.Random(seed)
    return [_problem(f"p{at}", rng.betavariate(0.8, 0.8), samples, rng) for at in range(count)]


def _problem(name: str, rate: float, samples: int, rng: random.Random) -> GradedProblem:
    return GradedProblem(name, "made", None, tuple(_sample(rate, at, rng) for at in range(samples)))


def _sample(rate: float, at: int, rng: random.Random) -> GradedSample:
    if rng.random() < 0.05:
        return GradedSample(None, False, None, 40, f"cut {at}")
    right = rng.random() < rate
    answer = "q:7" if right else f"q:{rng.choice([1, 1, 2, 3])}"
    score = round(min(max(rng.gauss(0.75 if right else 0.4, 0.2), 0.01), 0.99), 3)
    return two_steps(answer, right, score, f"solution {at}: {answer}")


def two_steps(answer: str, right: bool, score: float, text: str) -> GradedSample:
    """A solution whose steps are scored `FIRST` and `score`."""
    return GradedSample(answer, right, score, 40, text, lowest=min(FIRST, score), mean=(FIRST + score) / 2)
