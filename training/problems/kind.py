"""What a kind of problem is: how it is drawn, written, worked out, read back, and checked step by step.

Law: everything is a function of the givens; the checker reads them from the problem's text and never from the worked
solution, and `answer` finds the answer by another way than `work` does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Generic, TypeVar

from training.problems.draw import Draw
from training.problems.formula import NO_NAMES, Term, evaluate
from training.problems.reader import parse
from training.problems.template import Template

Given = TypeVar("Given")
State = TypeVar("State")

LAST = Template(r"The answer is $\boxed{<answer>}$.")


class Wrong(Exception):
    """A step that can be read, and is false or does not follow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of step, and what it does to what is known. `follow(given, state, fields)` gives the next state."""

    form: Template
    follow: Callable[[Any, Any, Mapping[str, str]], Any]
    """Raises Wrong for a false step, and ValueError for formulas that can't be read."""


class Kind(ABC, Generic[Given, State]):
    name: ClassVar[str]
    phrasings: ClassVar[tuple[Template, ...]]
    rules: ClassVar[tuple[Rule, ...]]

    @abstractmethod
    def draw(self, draw: Draw, level: int) -> Given: ...

    @abstractmethod
    def fields(self, given: Given) -> dict[str, object]:
        """What fills the phrasings."""

    @abstractmethod
    def read(self, fields: Mapping[str, str]) -> Given:
        """The inverse of `fields`. Raises ValueError when these are no givens."""

    @abstractmethod
    def work(self, given: Given) -> Sequence[str]:
        """The worked steps without the last."""

    @abstractmethod
    def answer(self, given: Given) -> str: ...

    @abstractmethod
    def start(self, given: Given) -> State:
        """What is known before the first step."""

    @abstractmethod
    def settled(self, given: Given, state: State) -> bool:
        """Whether the answer follows from the steps so far."""

    def write(self, given: Given, draw: Draw) -> str:
        """The problem in one of its phrasings."""
        return draw.choice(self.phrasings).fill(**self.fields(given))

    def signature(self, given: Given) -> str:
        """The kind and all numbers, ascending: what near-duplicates have in common."""
        text = " ".join(str(value) for value in self.fields(given).values())
        return f"{self.name}|{sorted(int(digits) for digits in re.findall('[0-9]+', text))}"

    def understand(self, text: str) -> Given | None:
        """The givens of a problem's text; None when it is of another kind."""
        for phrasing in self.phrasings:
            fields = phrasing.match(text)
            if fields is not None:
                try:
                    return self.read(fields)
                except ValueError:
                    continue
        return None


def require(holds: bool) -> None:
    """Raises Wrong."""
    if not holds:
        raise Wrong


def true_chain(text: str, names: Mapping[str, Fraction] = NO_NAMES) -> list[Term]:
    """The sides of `a = b = …`, all equal. Raises Wrong when they are not, ValueError when it is no such chain."""
    sides = [parse(side) for side in text.split("=")]
    if len(sides) < 2:
        raise ValueError("an equation is missing")
    require(len({evaluate(side, names) for side in sides}) == 1)
    return sides


def whole(term: Term) -> int:
    """Raises Wrong when this is not a whole number."""
    if not isinstance(term, Fraction) or term.denominator != 1:
        raise Wrong
    return int(term)
