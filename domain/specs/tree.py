"""Specs of strategies that grow solutions step by step and let the verifier say which steps go on.

All of them merge identical steps before they rank: equal texts under one parent are one candidate with a multiplicity.
`max_tokens` limits one step, `max_steps` the steps of a solution (40 rounds in 2408.03314, section 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import choice, number, number_or


@dataclass(frozen=True, slots=True)
class StepSearch:
    """What they have in common. `aggregation` makes one number of a partial or whole solution's step scores.

    A step that the policy gave at least the probability `certain` (as a whole, at temperature 1) is not sampled again:
    the other samples after the same beginning are taken to be equal to it. 1: every sample is drawn.
    """

    n: int = number(16, 1, 1024)
    max_steps: int = number(40, 1, 200)
    aggregation: str = choice("last", "last", "min", "product", "mean", "geometric")
    selection: str = choice("weighted", "weighted", "best")
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(256, 1, 131_072)
    certain: float = number(1.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Beam(StepSearch):
    """Sample `n` first steps, keep the n / `width` best by score, and share `n` samples between them at each further
    step; best-of-N over the finished solutions decides (2408.03314, section 5.2, where `width` is M: 4, or √n as
    "sqrt").

    A finished solution among the best keeps its place, so that the beam narrows ("hold"), or makes room for the next
    best unfinished one, until `n` solutions are finished ("free").
    """

    name: ClassVar[str] = "beam"
    width: int | str = number_or(16, 1, 1024, "sqrt")
    finished: str = choice("hold", "hold", "free")


@dataclass(frozen=True, slots=True)
class Lookahead(StepSearch):
    """Beam search whose steps are scored together with the `lookahead` steps that follow greedily (2408.03314, section
    5.2). It costs n × (lookahead + 1) samples a step; a look-ahead that ends is a finished solution."""

    name: ClassVar[str] = "lookahead"
    width: int | str = number_or(4, 1, 1024, "sqrt")
    lookahead: int = number(1, 1, 16)
    finished: str = choice("hold", "hold", "free")


@dataclass(frozen=True, slots=True)
class Dvts(StepSearch):
    """Diverse verifier tree search: n / `width` independent subtrees, each going on from the best step of its `width`;
    their finished solutions vote together (Hugging Face, "Scaling test-time compute with open models")."""

    name: ClassVar[str] = "dvts"
    width: int | str = number_or(4, 1, 1024, "sqrt")


@dataclass(frozen=True, slots=True)
class Rebase(StepSearch):
    """All steps go on, each with its share of the samples by a softmax of score / `score_temperature`; a depth has `n`
    samples less the solutions that are finished (reward balanced search, 2408.00724)."""

    name: ClassVar[str] = "rebase"
    score_temperature: float = number(0.1, 0.001, 10.0)
