"""Recorded solutions: what a model wrote before, kept so that another search over it costs nothing.

One JSON object on each line: {problem_id, question, gold, samples: [{text, answer, completion_tokens, correct}]}.
`text`, `question`, `gold`, `correct` and `completion_tokens` may be missing; `id` is taken for `problem_id`; a sample
may hold `prm_step_scores` (probabilities) and `finish` ("length": it was cut). Law: nothing missing is made up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from domain.moves import Answer, FinishReason
from inference.answers.extract import answer_of, extract_answer


@dataclass(frozen=True, slots=True)
class RecordedSample:
    """One whole solution."""

    text: str
    answer: Answer | None
    tokens: int | None = None
    """Completion tokens; None: they were not recorded."""
    correct: bool | None = None
    step_scores: tuple[float, ...] = ()
    """A verifier's probability for each step; empty: it was not scored."""
    finish: FinishReason = FinishReason.END


@dataclass(frozen=True, slots=True)
class Recording:
    """All solutions of one problem, in the order in which they were recorded."""

    id: str
    question: str
    """The problem's text, or a stand-in that names its id."""
    gold: str | None
    samples: tuple[RecordedSample, ...]


def read_recordings(path: Path) -> list[Recording]:
    """Of a file. Raises ConfigurationError with one line that names the file, the line and the remedy."""
    return [parse_recording(row, where) for row, where in rows_of(path)]


def rows_of(path: Path) -> Iterable[tuple[dict[str, Any], str]]:
    """Each line's object, and where it stands. Raises ConfigurationError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read ({type(error).__name__}): name a JSONL file") from None
    found = False
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = True
            yield _object(line, f"{path}:{number}"), f"{path}:{number}"
    if not found:
        raise ConfigurationError(f"{path} holds no line: each line is one problem with its samples")


def parse_recording(row: Mapping[str, Any], where: str) -> Recording:
    """Raises ConfigurationError."""
    problem_id = row["id"] if row.get("problem_id") is None and "id" in row else row.get("problem_id")
    if isinstance(problem_id, bool) or not isinstance(problem_id, (str, int)):
        raise ConfigurationError(f"{where}: problem_id is missing: give each problem one (a string or a number)")
    samples = row.get("samples")
    if not isinstance(samples, list) or not samples:
        raise ConfigurationError(f"{where}: samples must be a list of at least one object")
    parsed = tuple(_sample(item, number, f"{where}: sample {number}") for number, item in enumerate(samples, start=1))
    question = row.get("question")
    text = (
        question if isinstance(question, str) and question.strip() else f"(Problem {problem_id}; its text is not kept.)"
    )
    return Recording(str(problem_id), text, _gold(row.get("gold"), where), parsed)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise ConfigurationError(f"{where}: this is no JSON object: each line is one problem with its samples")
    if "\\u" in line and not _is_unicode(row):
        raise ConfigurationError(f"{where}: a text holds half of a surrogate pair: write whole characters")
    return row


def _is_unicode(row: Any) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _sample(item: Any, number: int, where: str) -> RecordedSample:
    if not isinstance(item, dict) or ("answer" not in item and not isinstance(item.get("text"), str)):
        raise ConfigurationError(f"{where}: it needs an answer or a text")
    text = item["text"] if isinstance(item.get("text"), str) else None
    answer = _answer(item["answer"], where) if "answer" in item or text is None else extract_answer(text)
    return RecordedSample(
        text=stand_in(number, answer) if text is None else text,
        answer=answer,
        tokens=_tokens(item.get("completion_tokens"), where),
        correct=_correct(item.get("correct"), where),
        step_scores=_scores(item.get("prm_step_scores"), where),
        finish=FinishReason.LENGTH if item.get("finish") == "length" else FinishReason.END,
    )


def stand_in(number: int, answer: Answer | None) -> str:
    """The text of a solution of which only the answer was kept; different for each."""
    end = "" if answer is None else f"\n\nIts answer is $\\boxed{{{answer.text}}}$."
    return f"(The text of solution {number} is not kept.){end}"


def _answer(value: Any, where: str) -> Answer | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigurationError(f"{where}: answer must be a string or a number, or null for none")
    return answer_of(str(value))


def _gold(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigurationError(f"{where}: gold must be a string or a number, or null for none")
    return str(value)


def _tokens(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigurationError(f"{where}: completion_tokens must be a number of at least 0")
    return int(value)


def _correct(value: Any, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise ConfigurationError(f"{where}: correct must be true or false")


def _scores(value: Any, where: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [] if value is None else [None]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1:
            raise ConfigurationError(f"{where}: prm_step_scores must be a list of numbers from 0 to 1")
    return tuple(map(float, numbers))
