"""What a strategy may ask for (moves) and what it can be told (outcomes). Plain frozen values: they cross processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TypeAlias

from domain.budget import NO_COST, Spend

STEP_SEPARATOR = "\n\n"
"""Steps of a solution are separated by a blank line (the format that public step verifiers were trained on)."""

ROOT = 0
"""The node of the problem itself, before any step."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Sample text from the policy: a whole solution, or its next step when `stop` holds the step separator."""

    id: str
    """Unique within the job and fixed by the strategy, e.g. `sample-3`."""
    node: int
    """The node that the text will become."""
    seed: int
    max_tokens: int
    parent: int = ROOT
    prefix: str = ""
    """The solution so far, from the root to the parent; empty for a whole solution."""
    stop: tuple[str, ...] = ()
    temperature: float = 1.0
    top_p: float = 1.0
    attempts: tuple[str, ...] = ()
    """Earlier solutions, oldest first, that the policy is asked to revise; a policy sees the latest few."""


@dataclass(frozen=True, slots=True)
class Score:
    """Score the steps of a solution (whole or partial) with the verifier."""

    id: str
    node: int
    seed: int
    max_tokens: int
    """Tokens that a generative verifier may write; 0 for one that only reads."""
    solution: str = ""


Move: TypeAlias = Sample | Score


class FinishReason(StrEnum):
    """Why a sampled text ended. Only END is a finished solution."""

    END = "end"
    """The policy gave its end-of-sequence token: nothing may be asked beyond it."""
    STOP = "stop"
    """A stop string was reached (it is not part of the text): the solution may be continued."""
    LENGTH = "length"
    """The token limit was reached: truncated, never a finished solution."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer as written, and the normal form by which answers are compared exactly."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Sampled:
    move_id: str
    text: str
    """The new text only, without the prefix and without the stop string."""
    finish: FinishReason
    answer: Answer | None
    """The final answer of a finished solution; None when there is none or the text was cut."""
    logprob: float | None
    """Sum of the sampled tokens' natural log-probabilities at temperature 1."""
    cost: Spend
    equivalent: tuple[str, ...] = ()
    """Keys of other answers of this search that a symbolic comparison found to be equal to this one."""


@dataclass(frozen=True, slots=True)
class Scored:
    move_id: str
    scores: tuple[float, ...]
    """One probability in [0, 1] for each step, in order."""
    cost: Spend


class FailureKind(StrEnum):
    """Why a move gave nothing. A failure is never turned into a score."""

    ENGINE = "engine"
    """The engine or verifier failed, also after our own retries."""
    INVALID = "invalid"
    """The engine refused the request (for example a prompt longer than its context)."""
    ABORTED = "aborted"
    """The search stopped before the call ended; its cost until then is charged."""


@dataclass(frozen=True, slots=True)
class Failed:
    move_id: str
    kind: FailureKind
    message: str
    cost: Spend = NO_COST


Outcome: TypeAlias = Sampled | Scored | Failed


def step_ends(text: str) -> tuple[int, ...]:
    """Where the steps of a solution so far end, in characters: after each separator. An open last step has no end."""
    parts = text.split(STEP_SEPARATOR)[:-1]
    return tuple(accumulate(len(part) + len(STEP_SEPARATOR) for part in parts))


def split_steps(text: str) -> tuple[str, ...]:
    """The steps of a solution; empty pieces (from runs of blank lines) are no steps."""
    return tuple(step for step in text.split(STEP_SEPARATOR) if step.strip())
