"""Calibration data: sampled solutions of problems with known answers, graded, and scored by a verifier. Beside them one
greedy solution of each problem: adaptive searches begin with it.

Law: samples stand in the order in which they were drawn, and unfinished ones stand there too, since a search would
have paid for them; a text that the verifier can't read has no score, never a made-up one. One line has the shape of
the recorded traces that replay reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import EngineError
from domain.moves import Answer, FinishReason, split_steps
from domain.ports import ScoreRequest
from training.labels.calls import Rollout
from training.labels.checks import at_least, distinct_problems, warm
from training.labels.grading import Grader, gold_of
from training.labels.journal import Journal
from training.labels.pools import Crew
from training.labels.rollouts import sample_many, score_many, solution_requests
from training.labels.work import Work, identity_of
from training.problems.files import ProblemRecord
from training.progress import say

Scores = tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class GradedSettings:
    samples: int = 64
    temperature: float = 1.0
    max_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("samples", self.samples, 1)
        at_least("max_tokens", self.max_tokens, 1)
        warm(self.temperature)


def make_graded(
    policy: str,
    verifier: str | None,
    problems: Sequence[ProblemRecord],
    settings: GradedSettings,
    out: Path,
    *,
    workers: int = 1,
    crew: Crew | None = None,
) -> Path:
    """Writes a line for each problem, and `OUT.manifest.json`; goes on after a kill.

    {"problem_id", "question", "gold", "subject", "level", "samples": [{"text", "answer", "completion_tokens", "finish",
    "logprob", "correct", "prm_step_scores"}], "greedy": {…}}. `prm_step_scores` is null where there is nothing to
    score: an empty text, an unfinished one that is too long for the verifier, or no verifier at all. Raises
    InvalidRequest, ConfigurationError, EngineError (also when a finished text is too long for the verifier) or
    Unavailable.
    """
    distinct_problems(problems)
    golds = [gold_of(problem) for problem in problems]
    crew = crew or Crew(workers)
    work = Work(out, identity_of("graded traces", settings, problems, crew, policy=policy, verifier=verifier))
    if work.is_done():
        return out
    with work.journal() as journal, Grader() as grader:
        found = _sampled(policy, problems, settings, journal, crew)
        scores = _scored(verifier, problems, found, journal, crew) if verifier else {}
        rows = [
            _row(problem, gold, some, scores, grader)
            for problem, gold, some in zip(problems, golds, found, strict=True)
        ]
        counts = _counts(rows, len(scores))
        say(f"graded: {counts}")
        return work.finish(rows, counts, journal)


def _sampled(
    policy: str, problems: Sequence[ProblemRecord], s: GradedSettings, journal: Journal, crew: Crew
) -> list[list[Rollout]]:
    """Of each problem: its samples, and the greedy solution last."""
    many = solution_requests(problems, s.samples, temperature=s.temperature, max_tokens=s.max_tokens, seed=s.seed)
    one = solution_requests(problems, 1, temperature=0.0, max_tokens=s.max_tokens, seed=s.seed)
    with crew.pool("policy", policy) as pool:
        samples = sample_many(pool, many, journal, stage="solutions")
        greedy = sample_many(pool, one, journal, stage="greedy solutions")
    return [[*samples[at * s.samples : (at + 1) * s.samples], last] for at, last in enumerate(greedy)]


def _scored(
    verifier: str,
    problems: Sequence[ProblemRecord],
    found: Sequence[Sequence[Rollout]],
    journal: Journal,
    crew: Crew,
) -> dict[tuple[str, str], Scores]:
    """Scores of each distinct (problem, text) that has a step."""
    finished: dict[tuple[str, str], bool] = {}
    for problem, some in zip(problems, found, strict=True):
        for one in some:
            if split_steps(one.text):
                pair = (problem.problem, one.text)
                finished[pair] = finished.get(pair, False) or one.finish is FinishReason.END
    requests = [ScoreRequest(str(at), problem, text) for at, (problem, text) in enumerate(finished)]
    with crew.pool("verifier", verifier) as pool:
        readings = score_many(pool, requests, journal, stage="scores")
    scores = {pair: reading.scores for pair, reading in zip(finished, readings, strict=True)}
    if any(scores[pair] is None for pair, whole in finished.items() if whole):
        raise EngineError("a finished solution is too long for the verifier: take one with a longer context")
    return scores


def _row(
    problem: ProblemRecord,
    gold: Answer,
    found: Sequence[Rollout],
    scores: dict[tuple[str, str], Scores],
    grader: Grader,
) -> dict[str, Any]:
    graded = [
        {
            "text": one.text,
            "answer": one.answer.text if one.answer else None,
            "completion_tokens": one.tokens,
            "finish": one.finish.value,
            "logprob": one.logprob,
            "correct": grader.right(one.answer, gold),
            "prm_step_scores": scores.get((problem.problem, one.text)),
        }
        for one in found
    ]
    return {
        "problem_id": problem.id,
        "question": problem.problem,
        "gold": problem.answer,
        "subject": problem.subject,
        "level": problem.level,
        "samples": graded[:-1],
        "greedy": graded[-1],
    }


def _counts(rows: Sequence[dict[str, Any]], scored: int) -> dict[str, Any]:
    samples = list(_samples(rows))
    return {
        "samples": len(samples),
        "finished": sum(one["finish"] == FinishReason.END.value for one in samples),
        "right": sum(one["correct"] for one in samples),
        "distinct_texts_scored": scored,
        "problems_with_a_right_one": sum(any(one["correct"] for one in row["samples"]) for row in rows),
    }


def _samples(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one for row in rows for one in row["samples"])
