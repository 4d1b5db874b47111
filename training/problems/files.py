"""Problem files: JSON lines with id, problem, answer, and where known subject, level and solution.

Law: a file is written whole or not at all, and never over another unless that was asked for; whatever is wrong with a
file is one sentence that names the file, the line and the remedy.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, InvalidRequest
from inference.answers.extract import answer_of, extract_answer
from inference.answers.keys import decided
from training.problems.generator import GeneratedProblem
from training.problems.partition import exact_key, signature

NEEDED = ("id", "problem", "answer")
OPTIONAL: dict[str, type] = {"subject": str, "level": int, "solution": str}
MAX_LINE_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    """One line of a problem file."""

    line: int
    """From 1."""
    id: str
    problem: str
    answer: str
    subject: str | None = None
    level: int | None = None
    solution: str | None = None


def write_problems(path: Path, problems: Iterable[GeneratedProblem], *, force: bool = False) -> int:
    """How many were written. Raises ConfigurationError when the file is there already or can't be written."""
    _refuse_existing(path, force)
    try:
        return _write(path, problems, force)
    except OSError as error:
        remedy = "choose another folder or free some space"
        raise ConfigurationError(f"{path} can't be written ({error.strerror}): {remedy}") from None


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder: name a file")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists already: choose another name, or overwrite it with --force")


def _write(path: Path, problems: Iterable[GeneratedProblem], force: bool) -> int:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = 0
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for problem in problems:
                out.write(json.dumps(asdict(problem), ensure_ascii=False) + "\n")
                written += 1
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, 0o644)
        _refuse_existing(path, force)  # it may have come while the problems were made
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return written


def read_problems(path: Path, *, need: Sequence[str] = NEEDED) -> list[ProblemRecord]:
    """All problems of a file, distinct and readable. Raises InvalidRequest or ConfigurationError."""
    records: list[ProblemRecord] = []
    ids: dict[str, int] = {}
    texts: dict[str, int] = {}
    for number, text in _lines(path):
        record = _record(path, number, text, need)
        _refuse_duplicate(path, number, "id", ids.setdefault(record.id, number))
        _refuse_duplicate(path, number, "problem", texts.setdefault(exact_key(record.problem), number))
        records.append(record)
    if not records:
        raise InvalidRequest(f"{path} holds no problems: put one JSON object on each line")
    return records


def refuse_overlap(path: Path, records: Sequence[ProblemRecord], other: Path, known: Sequence[ProblemRecord]) -> None:
    """Raises InvalidRequest when a problem, or a near-duplicate of one, is in both files."""
    exact = {exact_key(record.problem): record.line for record in known}
    near = {signature(record.problem): record.line for record in known}
    for record in records:
        line = exact.get(exact_key(record.problem))
        if line is not None:
            raise _bad(path, record.line, f"the same problem stands in {other}:{line}", "delete one of them")
        line = near.get(signature(record.problem))
        if line is not None:
            found = f"the problem differs from {other}:{line} only in its phrasing or the order of its numbers"
            raise _bad(path, record.line, found, "delete one of them")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, text
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path} is no UTF-8 text: save it as UTF-8") from None


def _record(path: Path, line: int, text: str, need: Sequence[str]) -> ProblemRecord:
    found = _object(path, line, text)
    for name in (*NEEDED, *(name for name in need if name not in NEEDED)):
        if name not in found:
            raise _bad(path, line, f"the field '{name}' is missing", f'add "{name}": … to this line')
    for name in NEEDED:
        if not isinstance(found[name], str) or not found[name].strip():
            raise _bad(path, line, f"the field '{name}' must be a text that is not empty", "write it in quotes")
    for name, kind in OPTIONAL.items():
        if found.get(name) is not None and (not isinstance(found[name], kind) or isinstance(found[name], bool)):
            raise _bad(path, line, f"the field '{name}' must be {_KINDS[kind]}", "correct it or leave it out")
    record = ProblemRecord(line, *(found[name] for name in NEEDED), *(found.get(name) for name in OPTIONAL))
    _check_answer(path, record)
    return record


_KINDS = {str: "a text", int: "a whole number"}


def _object(path: Path, line: int, text: str) -> dict[str, Any]:
    if len(text) > MAX_LINE_CHARS:
        raise _bad(path, line, f"the line has more than {MAX_LINE_CHARS} characters", "shorten it")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad(path, line, "this is no JSON", "put one JSON object on each line") from None
    if not isinstance(found, dict):
        raise _bad(path, line, "this is no JSON object", 'write {"id": …, "problem": …, "answer": …}')
    return found


def _check_answer(path: Path, record: ProblemRecord) -> None:
    answer = answer_of(record.answer)
    if answer is None or not _braces_close(record.answer):
        raise _bad(path, record.line, "the answer can't be read", "write a number, a formula in LaTeX or a short text")
    if record.solution is None:
        return
    boxed = extract_answer(record.solution)
    if boxed is None:
        raise _bad(path, record.line, "the solution names no answer", r"end it with \boxed{…}")
    if decided(boxed.key, answer.key) is False:
        raise _bad(path, record.line, "the solution ends in another answer than 'answer'", "correct one of them")


def _braces_close(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _refuse_duplicate(path: Path, line: int, what: str, first: int) -> None:
    if first != line:
        raise _bad(path, line, f"the {what} stands in line {first} already", "delete one of the lines or change it")


def _bad(path: Path, line: int, what: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"{path}:{line}: {what}: {remedy}")
