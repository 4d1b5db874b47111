"""How a spec declares a parameter: its default, and its limits or choices, from which all complaints are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive limits of a numeric parameter."""

    low: float
    high: float


def number(default: Any, low: float, high: float, *, before: Any = None) -> Any:
    """`before`: what a spec meant that was stored when there was no such parameter, where that is not the default."""
    return field(default=default, metadata={"bounds": Bounds(low, high), "before": before})


def choice(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices})


def number_or(default: Any, low: float, high: float, *words: str) -> Any:
    """A number, or one of these words, which stand for a number that depends on other parameters."""
    return field(default=default, metadata={"bounds": Bounds(low, high), "words": words})
