"""Searches over recorded solutions: the real strategies, answered from graded traces instead of a model.

Law: the i-th plain sample of a search is the i-th recorded one of its problem in this order, and costs what it costs; a
search that asks for what was not recorded (a step, a revision) is refused, and one that asks for too many fails there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.budget import NO_COST, Budget, Spend
from domain.calibration import Calibration
from domain.errors import InvalidRequest
from domain.events import JobSubmitted
from domain.moves import Answer, Failed, FailureKind, FinishReason, Move, Outcome, Sample, Sampled, Score, Scored
from domain.problem import text_problem
from domain.recipe import StrategySpec
from domain.verdict import Verdict
from evaluation.calibration_fit.traces import GradedProblem, GradedSample
from evaluation.calibration_fit.trajectories import shuffled
from search.replay import Search, begin

UNIT = 1.0e6
"""FLOPs of one plain sample in a playback: costs are read in samples."""


@dataclass(frozen=True, slots=True)
class Played:
    """A search that has ended."""

    problem: str
    verdict: Verdict
    right: bool
    cost: float
    """In costs of one plain sample."""
    samples: int
    stopped_sure: bool
    """Whether it ended because it had reached the target."""


class Recording:
    """One problem's solutions in one order."""

    def __init__(self, problem: GradedProblem, order: int, score_cost: float) -> None:
        self._samples = shuffled(problem, order, 0)
        self._score_cost = score_cost
        self._scores = {one.text: one.score for one in self._samples}
        self.right = {one.answer for one in self._samples if one.right}

    def answer(self, move: Move) -> Outcome:
        """Raises InvalidRequest for a move that plain samples can't answer."""
        if isinstance(move, Score):
            return self._scored(move)
        if move.prefix or move.stop or move.attempts:
            raise InvalidRequest("recorded solutions can't answer a search over steps or revisions")
        if move.node > len(self._samples):
            return Failed(move.id, FailureKind.INVALID, "no more recorded solutions")
        return _sampled(move, self._samples[move.node - 1])

    def _scored(self, move: Score) -> Outcome:
        score = self._scores.get(move.solution)
        if score is None:
            return Failed(move.id, FailureKind.INVALID, "this solution was not verified when it was recorded")
        cost = Spend(verified_tokens=1, flops=self._score_cost * UNIT, verifier_calls=1)
        return Scored(move.id, (score,), cost)


def _sampled(move: Sample, sample: GradedSample) -> Sampled:
    cost = Spend(generated_tokens=sample.tokens, flops=UNIT, rollouts=1)
    answer = None if sample.answer is None else Answer(sample.answer, sample.answer)
    finish = FinishReason.LENGTH if answer is None else FinishReason.END
    return Sampled(move.id, sample.text, finish, answer, None, cost)


Stop = Callable[[Search], bool]


def play(
    problem: GradedProblem,
    spec: StrategySpec,
    calibration: Calibration | None,
    *,
    order: int = 0,
    target: float | None = None,
    score_cost: float = 1.0,
    window: int = 8,
    stop: Stop = lambda search: False,
) -> Played:
    """The whole search; `target` ends it as the service would, `stop` is asked after each outcome."""
    recording = Recording(problem, order, score_cost)
    submitted = JobSubmitted(text_problem(problem.id), spec, Budget(), target, order)
    search = begin(submitted).claimed(calibration)
    spent, samples, sure = NO_COST, 0, False
    pending: list[Move] = []
    while not sure and not stop(search):
        search, moves = search.ask(window - len(pending))
        pending += moves
        if not pending:
            break
        outcome = recording.answer(pending.pop(0))
        spent = spent + outcome.cost
        samples += isinstance(outcome, Sampled)
        search = search.tell(outcome)
        sure = target is not None and _reached(search.verdict(), target)
    # What is in flight when a search stops was asked for: it is paid as the service pays it.
    spent = sum((recording.answer(move).cost for move in pending), spent)
    verdict = search.verdict()
    right = verdict.answer is not None and verdict.answer in recording.right
    reached = target is not None and _reached(verdict, target)
    return Played(problem.id, verdict, right, spent.flops / UNIT, samples, reached)


def _reached(verdict: Verdict, target: float) -> bool:
    return verdict.answer is not None and verdict.confidence >= target
