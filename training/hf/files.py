"""Training files that are made of samples: labelled solutions, and chains of attempts. JSON lines.

Law: whatever is wrong with a file is one sentence that names the file, the line and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from domain.moves import STEP_SEPARATOR
from inference.answers.extract import extract_answer
from inference.prompts import MAX_ATTEMPTS
from training.hf.lines import Line, lines


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """One line of a labels file."""

    line: int
    """From 1."""
    problem_id: str
    problem: str
    steps: tuple[str, ...]
    labels: tuple[float, ...]
    """Of each step, the share of rollouts from it that ended right."""
    rollouts: tuple[int, ...]
    """Of each step, how many there were."""
    answer: str | None
    """The final answer; None where there is none."""
    right: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """One line of a chains file: attempts, oldest first, and the right solution that should follow them.

    Most attempts are wrong ones; a right one at the end teaches to leave alone what is right.
    """

    line: int
    problem_id: str
    problem: str
    attempts: tuple[str, ...]
    solution: str


def read_labels(path: Path) -> list[LabelledSolution]:
    """All solutions of a labels file, distinct, some of them right."""
    solutions: list[LabelledSolution] = []
    seen: dict[Any, int] = {}
    for line in lines(path):
        solution = _solution(line)
        first = seen.setdefault((solution.problem, solution.steps), solution.line)
        if first != solution.line:
            raise line.fail(f"the same solution stands in line {first} already", "delete one of the lines")
        solutions.append(solution)
    _refuse_empty(path, solutions, "solutions")
    if not any(solution.right for solution in solutions):
        remedy = "sample more, from a stronger policy or on easier problems"
        raise InvalidRequest(f"{path}: none of the {len(solutions)} solutions is right: {remedy}")
    return solutions


def read_chains(path: Path) -> list[Chain]:
    """All chains of a file, distinct, some of them with attempts to revise."""
    chains: list[Chain] = []
    seen: dict[Any, int] = {}
    for line in lines(path):
        chain = _chain(line)
        first = seen.setdefault((chain.problem, chain.attempts, chain.solution), chain.line)
        if first != chain.line:
            raise line.fail(f"the same chain stands in line {first} already", "delete one of the lines")
        chains.append(chain)
    _refuse_empty(path, chains, "chains")
    if not any(chain.attempts for chain in chains):
        raise InvalidRequest(f"{path}: no line has an attempt to revise: sample some wrong ones first")
    return chains


def _solution(line: Line) -> LabelledSolution:
    steps, labels, rollouts = line.texts("steps"), line.shares("labels"), line.counts("rollouts")
    if not steps:
        raise line.fail("there is no step", "delete the line")
    for name, found in (("labels", labels), ("rollouts", rollouts)):
        if len(found) != len(steps):
            raise line.fail(f"{len(steps)} steps have {len(found)} {name}", "give one for each step")
    if any(STEP_SEPARATOR in step for step in steps):
        raise line.fail("a step has a blank line in it", "make two steps of it")
    answer, right = line.answer("answer"), line.truth("right")
    if right and answer is None:
        raise line.fail("a solution without an answer is called right", "give its answer, or write false")
    return LabelledSolution(
        line.number, line.text("problem_id"), line.text("problem"), steps, labels, rollouts, answer, right
    )


def _chain(line: Line) -> Chain:
    attempts, solution = line.texts("attempts"), line.text("solution")
    if len(attempts) > MAX_ATTEMPTS:
        raise line.fail(f"{len(attempts)} attempts are more than the {MAX_ATTEMPTS} that a reviser sees", "drop some")
    if extract_answer(solution) is None:
        raise line.fail("the solution names no answer", r"end it with \boxed{…}")
    return Chain(line.number, line.text("problem_id"), line.text("problem"), attempts, solution)


def _refuse_empty(path: Path, found: Sequence[Any], what: str) -> None:
    if not found:
        raise InvalidRequest(f"{path} holds no {what}: put one JSON object on each line")
