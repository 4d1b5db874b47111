"""The demo's problems, and whether an answer to one is right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "problems.jsonl"


@dataclass(frozen=True, slots=True)
class Example:
    problem: str
    answer: str
    level: int


def read_examples(path: Path) -> list[Example]:
    """One JSON object a line with problem, answer and level. Raises ConfigurationError naming the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"can't read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        ) from None
    examples = [_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not examples:
        raise ConfigurationError(f"{path} holds no problems")
    return examples


def is_right(example: Example, job: dict[str, Any]) -> bool:
    """Whether the job's answer has the same normal form as the known one."""
    from inference.answers.normal import normal_form

    answer = job.get("answer")
    return answer is not None and normal_form(answer) == normal_form(example.answer)


def _example(path: Path, number: int, line: str) -> Example:
    try:
        data = json.loads(line)
        return Example(str(data["problem"]), str(data["answer"]), int(data["level"]))
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f'{path}:{number} is not {{"problem": …, "answer": …, "level": 1}}: mend that line'
        ) from None
