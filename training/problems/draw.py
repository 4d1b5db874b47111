"""Randomness that is the same on every machine and in every Python version.

Law: only `random.Random(str).random()` is used, the one stream that Python promises never to change.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Draws that depend on the seed's text alone."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def integer(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def choice(self, items: Sequence[T]) -> T:
        return items[self.integer(0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left = list(items)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in items]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of the items, each at most once."""
        return self.shuffled(items)[:count]

    def nonzero(self, limit: int) -> int:
        """From -limit to limit, without 0."""
        return self.choice((-1, 1)) * self.integer(1, limit)
