"""Everything that is fitted from graded traces (and, where there are some, graded runs), in one calibration."""

from __future__ import annotations

from collections.abc import Sequence

from domain.calibration import Calibration
from domain.ids import derive_seed
from evaluation.calibration_fit.actions import CAUTION, fit_actions
from evaluation.calibration_fit.choices import fit_choices, trials_of
from evaluation.calibration_fit.climbs import climbs, ladder_of
from evaluation.calibration_fit.confidence import fit_family
from evaluation.calibration_fit.difficulty import fit_difficulty
from evaluation.calibration_fit.election import fit_election, fit_searched
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import LEAST_PROBLEMS, GradedProblem

STATES = 60_000
"""About how many states of searches are looked at: with few problems each is sampled in more orders."""


def fit(
    problems: Sequence[GradedProblem],
    *,
    policy: str = "",
    verifier: str = "",
    score_cost: float = 1.0,
    runs: Sequence[Run] = (),
    orders: int | None = None,
    caution: float = CAUTION,
) -> Calibration:
    """`policy` and `verifier` are the checksums of the models; `score_cost` as in `Calibration`.

    `orders`: in how many random orders each problem's solutions are searched. `caution`: standard errors by which what
    an action brings is taken to be less than what was seen.
    """
    whole = [problem for problem in problems if problem.scored or not _answered(problem)]
    # A few solutions that the verifier could not read cost their problems; a file without scores fits votes alone.
    scored = sum(problem.scored for problem in whole) >= max(LEAST_PROBLEMS, len(problems) // 2)
    problems = mixed(whole if scored else problems)
    orders = orders or orders_for(problems)
    voting = fit_family(problems, "votes", orders=orders)
    models = [voting]
    if scored:
        models += [fit_family(problems, family, orders=orders) for family in ("scored", "best")]
        models.append(fit_election(problems, orders=orders))
    found = [one for at in range(orders) for one in climbs(problems, runs, score_cost, order=at)] if scored else []
    searched = fit_searched(found, ladder_of(runs), len({one.problem for one in found})) if found else []
    difficulty = fit_difficulty(problems, scored=scored, orders=orders)
    likeliest = models[-1] if scored else None
    trials = trials_of(problems, difficulty, score_cost, runs, likeliest, orders=orders)
    return Calibration(
        policy=policy,
        verifier=verifier if scored else "",
        score_cost=score_cost,
        confidence=(*models, *searched),
        difficulty=difficulty,
        choices=fit_choices(trials, score_cost, difficulty.samples),
        actions=fit_actions(problems, voting, likeliest, score_cost, runs, searched, orders=orders, caution=caution),
        problems=len(problems),
    )


def mixed(problems: Sequence[GradedProblem]) -> list[GradedProblem]:
    """In an order of their own: folds go by place, and files go by subject and level."""
    return sorted(problems, key=lambda one: derive_seed(0, "fold", one.id))


def orders_for(problems: Sequence[GradedProblem]) -> int:
    longest = max(len(problem.samples) for problem in problems)
    return max(2, min(8, STATES // (len(problems) * min(longest, 40))))


def _answered(problem: GradedProblem) -> bool:
    return any(one.answer is not None for one in problem.samples)
