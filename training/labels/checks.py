"""Settings of label makers: what they may be. Law: a bad one is refused before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import InvalidRequest
from training.problems.files import ProblemRecord


def at_least(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidRequest(f"{name} must be a whole number of at least {least}", param=name)


def warm(temperature: float) -> None:
    """Greedy samples of one problem would all be the same."""
    if not 0 < temperature <= 10:
        raise InvalidRequest("temperature must be above 0 and at most 10", param="temperature")


def share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidRequest(f"{name} must be between 0 and 1", param=name)


def distinct_problems(problems: Sequence[ProblemRecord]) -> None:
    if not problems:
        raise InvalidRequest("there are no problems: name a file that has some")
    if len({problem.id for problem in problems}) != len(problems):
        raise InvalidRequest("two problems have the same id: seeds are made of ids, so give each its own")
