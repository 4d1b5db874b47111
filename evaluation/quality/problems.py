"""The problem sets that the benchmarks run on, as files: no split is made anew while something is measured."""

from __future__ import annotations

import json
from pathlib import Path

from domain.errors import ConfigurationError
from evaluation.quality.record import ProblemItem

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
TEST = DATASETS / "test_500.jsonl"
CALIBRATION = DATASETS / "calibration_150.jsonl"


def read_items(path: Path) -> list[ProblemItem]:
    """All problems of a JSONL file as `deliberate problems make` writes it. Raises ConfigurationError."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read ({type(error).__name__}): check the path") from None
    found = [_item(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise ConfigurationError(f"{path} holds no problems: make some with `deliberate problems make`")
    return found


def _item(path: Path, number: int, line: str) -> ProblemItem:
    try:
        raw = json.loads(line)
        return ProblemItem(raw["id"], raw["problem"], raw["answer"], raw["subject"], int(raw["level"]))
    except (ValueError, KeyError, TypeError):
        needed = "id, problem, answer, subject and level"
        raise ConfigurationError(f"{path}:{number}: {needed} are needed: see `deliberate problems make`") from None
