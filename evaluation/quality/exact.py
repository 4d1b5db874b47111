"""The exact step checker, the measure of every verifier. The only place where evaluation reads from `training`.

The checkers are one with the problem generators (each reads back what its kind writes), and are for evaluation only.
"""

from __future__ import annotations

from domain.errors import ConfigurationError
from training.problems.verdicts import check_solution


def first_error(problem: str, solution: str) -> int | None:
    """Index of the first step that is not right; None when all are. Raises ConfigurationError for other problems."""
    try:
        return check_solution(problem, solution).first_error
    except ValueError as error:
        raise ConfigurationError(f"a problem can't be checked ({error}): use files of `deliberate problems`") from None
