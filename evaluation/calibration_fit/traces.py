"""Graded traces: problems with sampled solutions that are known to be right or wrong, one JSON object on each line.

    {"problem_id", "level", "subject", "samples": [{"text", "answer", "completion_tokens", "finish", "correct",
     "prm_step_scores": […]}], "greedy": {…}}

`greedy` is one more solution, sampled at temperature 0: what the searches that decide for themselves begin with.
Without it they are fitted as if they began with any other.

Law: what a line does not say is not invented. A solution without scores stays unscored, a truncated one unanswered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from domain.errors import ConfigurationError, InvalidRequest

LEAST_PROBLEMS = 30
"""A probability fitted on fewer problems would say nothing."""


@dataclass(frozen=True, slots=True)
class GradedSample:
    answer: str | None
    """What answers are compared by: the normal form; None for an unfinished solution or one without an answer."""
    right: bool
    score: float | None
    """Of the last step."""
    tokens: int
    text: str
    """Equal texts have equal scores and are verified once."""
    lowest: float = 0.0
    """Of the scores of its steps …"""
    mean: float = 0.0
    """… and their mean; 0 without scores."""


@dataclass(frozen=True, slots=True)
class GradedProblem:
    id: str
    subject: str
    level: int | None
    samples: tuple[GradedSample, ...]
    greedy: GradedSample | None = None

    @property
    def scored(self) -> bool:
        """Whether every answered solution has a score."""
        known = self.samples if self.greedy is None else (self.greedy, *self.samples)
        answered = [one for one in known if one.answer is not None]
        return bool(answered) and all(one.score is not None for one in answered)

    @property
    def pass_rate(self) -> float:
        return sum(one.right for one in self.samples) / len(self.samples)


def without_scores(problem: GradedProblem) -> GradedProblem:
    """As a stack without a verifier would have recorded it."""
    greedy = None if problem.greedy is None else replace(problem.greedy, score=None)
    return replace(problem, samples=tuple(replace(one, score=None) for one in problem.samples), greedy=greedy)


def read_traces(paths: Iterable[Path]) -> list[GradedProblem]:
    """All graded problems. Raises ConfigurationError naming file and line, or InvalidRequest for too few."""
    found = [problem for path in paths for problem in _read(path)]
    answered = sum(any(one.answer is not None for one in problem.samples) for problem in found)
    if answered < LEAST_PROBLEMS:
        raise InvalidRequest(
            f"{len(found)} graded problems, {answered} of them with an answer, are too few to fit on:"
            f" give at least {LEAST_PROBLEMS} with an answer"
        )
    return found


def _read(path: Path) -> Iterable[GradedProblem]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other line separators
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} can't be read ({type(error).__name__}): give a file of graded traces"
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield parse_problem(json.loads(line), f"{path.name}:{number}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else type(error).__name__
            raise ConfigurationError(f"{path}, line {number} is no graded trace ({what})") from None


def parse_problem(line: Mapping[str, Any], name: str) -> GradedProblem:
    """Raises KeyError, TypeError or ValueError for what is no graded trace."""
    samples = tuple(graded_sample(one, at) for at, one in enumerate(line["samples"], start=1))
    if not samples:
        raise ValueError("no samples")
    level = line.get("level")
    identity = str(line.get("problem_id", line.get("id", name)))
    greedy = None if line.get("greedy") is None else graded_sample(line["greedy"], 0)
    subject = str(line.get("subject", "all"))
    return GradedProblem(identity, subject, level if isinstance(level, int) else None, samples, greedy)


def graded_sample(data: Mapping[str, Any], number: int) -> GradedSample:
    """Raises KeyError, TypeError or ValueError for what is none."""
    answer = None if data.get("finish") == "length" else data["answer"]
    scores = [float(score) for score in data.get("prm_step_scores") or ()]
    if not all(0.0 <= score <= 1.0 for score in scores) or not isinstance(data["correct"], (bool, int)):
        raise ValueError("a score that is no probability, or a verdict that is neither true nor false")
    return GradedSample(
        answer=None if answer is None else _key(str(answer)),
        right=bool(data["correct"]) and answer is not None,
        score=scores[-1] if scores else None,
        tokens=int(data.get("completion_tokens") or 0),
        # Solutions whose texts were not kept count as different ones.
        text=str(data.get("text") or f"(solution {number})"),
        lowest=min(scores, default=0.0),
        mean=fmean(scores) if scores else 0.0,
    )


def _key(answer: str) -> str:
    from inference.answers.normal import normal_form

    return normal_form(answer)
