"""From recorded files to recordings: the common shape, and the other shapes of `../shared/data/recorded`.

Law: a reader changes shapes and never grades; what a file does not say stays unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from domain.errors import ConfigurationError
from domain.moves import Answer
from inference.engines.recording import RecordedSample, Recording, parse_recording, rows_of

Row: TypeAlias = Mapping[str, Any]

_GAME24_ANSWER = re.compile(r"Answer:\s*(.+?)\s*(?:=\s*24)?\s*$")


def read_source(place: Path) -> list[Recording]:
    """All recordings of a file, or of the `.jsonl` files of a folder. Raises ConfigurationError.

    A problem that is in several files is several recordings: they may be different models' samples.
    """
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    if not files:
        raise ConfigurationError(f"{place} holds no .jsonl file: name a file of recorded samples or a folder of them")
    return [recording for file in files for recording in merged(_of_one_gold(file))]


def _of_one_gold(file: Path) -> Iterator[Recording]:
    """All recordings of the file; lines of one problem must agree in its gold answer. Raises ConfigurationError."""
    golds: dict[tuple[str, str], str | None] = {}
    for row, where in rows_of(file):
        recording = _read(row, where)
        if golds.setdefault((recording.id, recording.question), recording.gold) != recording.gold:
            raise ConfigurationError(
                f"{where}: problem {recording.id!r} has another gold answer than before: give each problem its own id"
            )
        yield recording


def merged(recordings: Iterable[Recording]) -> list[Recording]:
    """One recording for each problem: lines with the same id and text are one problem's samples."""
    found: dict[tuple[str, str], Recording] = {}
    for recording in recordings:
        key = (recording.id, recording.question)
        before = found.get(key)
        found[key] = recording if before is None else replace(before, samples=before.samples + recording.samples)
    return list(found.values())


def _read(row: Row, where: str) -> Recording:
    reader = next((reader for mark, reader in _SHAPES if mark in row), parse_recording)
    return reader(row, where)


def _game24(row: Row, where: str) -> Recording:
    """Game of 24: an answer is the formula as written, since all right formulas have the same value."""
    recording = parse_recording(row | {"question": f"Make 24 of {row['puzzle']}"}, where)  # type: ignore[operator]
    return replace(recording, samples=tuple(map(_with_formula, recording.samples)))


def _with_formula(sample: RecordedSample) -> RecordedSample:
    lines = sample.text.strip().splitlines()
    found = _GAME24_ANSWER.match(lines[-1].strip()) if lines else None
    formula = "".join(found.group(1).split()) if found else ""
    return replace(sample, answer=Answer(formula, f"w:{formula.casefold()}") if formula else None)


def _beams(row: Row, where: str) -> Recording:
    """The winners of a beam search, each with its step scores."""
    return parse_recording({**row, "samples": row["beams"]}, where)


def _path(row: Row, where: str) -> Recording:
    """One line for each sampled path, with a reward for each step."""
    names = ("text", "answer", "correct", "completion_tokens")
    sample = {name: row[name] for name in names if name in row} | {"prm_step_scores": row["reward_history"]}
    return parse_recording({**row, "problem_id": row.get("question_idx"), "samples": [sample]}, where)


def _rewarded(row: Row, where: str) -> Recording:
    """Raw scores of a reward model become probabilities by the logistic function, which keeps their order."""
    samples = row.get("samples")
    mapped = [_as_probability(sample) for sample in samples] if isinstance(samples, list) else None
    return parse_recording({**row, "problem_id": row["idx"], "samples": mapped}, where)


def _as_probability(sample: Any) -> Any:
    score = sample.get("rm_score") if isinstance(sample, dict) else None
    if not isinstance(score, (int, float)) or isinstance(score, bool):
        return sample
    return {**sample, "prm_step_scores": [0.5 * (1 + math.tanh(score / 2))]}


_SHAPES: tuple[tuple[str, Callable[[Row, str], Recording]], ...] = (
    ("puzzle", _game24),
    ("beams", _beams),
    ("reward_history", _path),
    ("idx", _rewarded),
)
"""By a field that only this shape has."""
