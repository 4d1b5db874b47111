"""A written-down tree of steps for searches that go step by step.

A step `=7` ends the solution with the answer 7, `~` is cut, `!` fails, `_` is blank; any other one can be continued.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.moves import Answer, FinishReason, Move, Outcome, Sample, Sampled, Score, split_steps
from tests.support.searching import FREE, cut, failed, scores, step


@dataclass
class Book:
    """What the policy writes and what the verifier thinks of it. Paths are steps joined by `/`."""

    steps: Mapping[str, str]
    """After each path the texts of its samples, in the order of their nodes; the last one is repeated."""
    marks: Mapping[str, float | Sequence[float]]
    """The score of a path's last step, or of all its steps; a path that is not here fails to be scored."""
    greedy: Mapping[str, str] = field(default_factory=dict)
    """What the policy writes at temperature 0."""
    moves: list[Move] = field(default_factory=list)
    _drawn: Counter[str] = field(default_factory=Counter)

    def __call__(self, move: Move) -> Outcome:
        self.moves.append(move)
        return self._written(move) if isinstance(move, Sample) else self._judged(move)

    @property
    def parents(self) -> list[str]:
        """The paths that were continued, in order, one for each sample that was drawn at a temperature."""
        return [path(move.prefix) for move in self.samples if move.temperature > 0]

    @property
    def rolled_out(self) -> list[str]:
        """The paths that were continued greedily."""
        return [path(move.prefix) for move in self.samples if move.temperature == 0]

    @property
    def judged(self) -> list[str]:
        """The paths that were scored."""
        return [path(move.solution) for move in self.moves if isinstance(move, Score)]

    @property
    def samples(self) -> list[Sample]:
        return [move for move in self.moves if isinstance(move, Sample)]

    def _written(self, move: Sample) -> Outcome:
        here = path(move.prefix)
        if move.temperature == 0:
            return _text(move, self.greedy[here])
        texts = self.steps[here].split()
        self._drawn[here] += 1
        return _text(move, texts[min(self._drawn[here], len(texts)) - 1])

    def _judged(self, move: Score) -> Outcome:
        steps = split_steps(move.solution)
        marks = self.marks.get("/".join(steps))
        if marks is None:
            return failed(move)
        if not isinstance(marks, float):
            return scores(move, *marks)
        before = [self.marks.get("/".join(steps[:at]), 0.5) for at in range(1, len(steps))]
        return scores(move, *[mark if isinstance(mark, float) else mark[-1] for mark in before], marks)


class Endless(Book):
    """Every step is another one, none is the last, and each has a score of its own."""

    def __init__(self) -> None:
        super().__init__({}, {})

    def _written(self, move: Sample) -> Outcome:
        return step(move, f"s{move.node}")

    def _judged(self, move: Score) -> Outcome:
        return scores(move, *[move.seed % 9973 / 9973 for _ in split_steps(move.solution)])


def path(text: str) -> str:
    return "/".join(split_steps(text))


def _text(move: Sample, text: str) -> Outcome:
    if text == "!":
        return failed(move)
    if text == "~":
        return cut(move, "half a st")
    if text.startswith("="):
        return Sampled(move.id, text, FinishReason.END, Answer(text[1:], f"q:{text[1:]}"), None, FREE)
    return step(move, " " if text == "_" else text)
