"""What a search believes, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.job import JobStatus


@dataclass(frozen=True, slots=True)
class Candidate:
    """One class of equivalent answers and its support."""

    answer: str
    votes: int
    weight: float
    """Share of the total weight, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a returned answer; a fitted confidence is read from it and nothing else."""

    sampled: int
    """Solutions that came back, also those without an answer."""
    answered: int
    votes: int
    """Solutions with the returned answer."""
    rival_votes: int
    """Of the most frequent other answer."""
    classes: int
    """Different answers."""
    scored: int = 0
    """Answered solutions that the verifier has scored; 0: the numbers below mean nothing."""
    weight: float = 0.0
    """Sum of the scores of the returned answer."""
    rival_weight: float = 0.0
    """The largest sum of another answer."""
    total_weight: float = 0.0
    best: float = 0.0
    """The highest score of a solution with the returned answer."""
    rival_best: float = 0.0
    different: int = 0
    """Different texts among the scored solutions with the returned answer: of kin many are copies."""
    firmest: float = 0.0
    """The highest, over these solutions, of the lowest score of any of their steps."""
    steady: float = 0.0
    """The mean, over these solutions, of the mean score of their steps."""
    search_flops: float = 0.0
    """FLOPs of the searches over steps behind it: the less sure the policy was of each step, the more."""


class ConfidenceKind(StrEnum):
    """What a confidence is."""

    AGREEMENT = "agreement"
    """The leader's share of the vote, shrunk while data is thin: uncalibrated, since nothing was fitted for this."""
    CALIBRATED = "calibrated"
    """A probability, fitted on graded solutions of the same models by the same kind of search."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best answer so far. Legal at any time: before the first solution the answer is None and confidence 0."""

    answer: str | None
    confidence: float
    solution: str | None
    """The full text of the solution that stands for the answer."""
    why: str
    """One sentence for a person: how the answer was chosen."""
    candidates: tuple[Candidate, ...] = ()
    """The leading answers, best first (at most eight)."""
    confidence_kind: ConfidenceKind = ConfidenceKind.AGREEMENT
    evidence: Evidence | None = None


class StopReason(StrEnum):
    """Why a search ended; one member for each, so that nobody has to guess from the numbers."""

    CONFIDENCE = "confidence"
    """The confidence asked for was reached."""
    COMPLETE = "complete"
    """The strategy has nothing more to ask."""
    BELOW_CONFIDENCE = "below_confidence"
    """The strategy has nothing more to ask and the confidence asked for was not reached; the best answer is given."""
    NO_ANSWER = "no_answer"
    """The strategy has nothing more to ask and no solution ended in an answer."""
    BUDGET_TOKENS = "budget_tokens"
    """No further call fits the token budget."""
    BUDGET_FLOPS = "budget_flops"
    """No further call fits the FLOPs budget."""
    BUDGET_ROLLOUTS = "budget_rollouts"
    """No further rollout fits the rollouts budget."""
    BUDGET_SECONDS = "budget_seconds"
    """The wall-clock budget ran out."""
    DEADLINE = "deadline"
    """The deadline came; the best answer found by then is given."""
    CANCELLED = "cancelled"
    """The user cancelled the job."""
    ENGINE_FAILED = "engine_failed"
    """Every call failed, so that there is nothing to answer from."""
    INTERNAL_ERROR = "internal_error"
    """A defect of ours; the error member says which."""


_STATUS = {
    StopReason.CONFIDENCE: JobStatus.COMPLETED,
    StopReason.COMPLETE: JobStatus.COMPLETED,
    StopReason.CANCELLED: JobStatus.CANCELLED,
    StopReason.ENGINE_FAILED: JobStatus.FAILED,
    StopReason.INTERNAL_ERROR: JobStatus.FAILED,
}


def status_after(reason: StopReason) -> JobStatus:
    """The job's final state: everything that is neither an end nor a failure is `incomplete`."""
    return _STATUS.get(reason, JobStatus.INCOMPLETE)
