"""Problems to train on, none of which is in the test file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from training.problems.files import NEEDED, ProblemRecord, read_problems, refuse_overlap


def read_disjoint(path: Path, test: Path | None, *, need: Sequence[str] = ()) -> list[ProblemRecord]:
    """All problems of a file. Raises InvalidRequest when one of them, or nearly one, is in `test`."""
    records = read_problems(path, need=(*NEEDED, *need))
    for record in records:
        if "solution" in need and record.solution is None:
            raise InvalidRequest(f"{path}:{record.line}: the field 'solution' is null: write it in quotes")
    if test is not None:
        refuse_overlap(path, records, test, read_problems(test))
    return records


def refuse_samples_of_test(path: Path, samples: Iterable[Any], test: Path | None) -> None:
    """As `read_disjoint` for a file of samples, each with `line`, `problem_id` and `problem`."""
    if test is None:
        return
    first: dict[str, ProblemRecord] = {}
    for sample in samples:
        first.setdefault(sample.problem, ProblemRecord(sample.line, sample.problem_id, sample.problem, ""))
    refuse_overlap(path, list(first.values()), test, read_problems(test))
