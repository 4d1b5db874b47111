"""Keys and values of the steps that were read, so that solutions with the same beginning are read once.

Law: a step is known by all tokens up to its end, never by its own text alone; the least recently used steps go first,
and what is kept stays within a number of tokens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Segment:
    """One step (or the prompt) after everything before it."""

    keys: Tensor
    """[layers, K, T, D]"""
    values: Tensor
    score: float | None
    """P(right) of the step; None for the prompt."""

    @property
    def tokens(self) -> int:
        return self.keys.shape[2]


class Segments:
    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._kept: OrderedDict[Ids, Segment] = OrderedDict()
        self.tokens = 0
        """Tokens that are kept now."""

    def beginning(self, ids: Ids, ends: Sequence[int]) -> list[Segment]:
        """The kept segments of `ids`, cut at `ends`, from the first on up to the first that is missing."""
        found: list[Segment] = []
        keys: list[Ids] = []
        for end in ends:
            key = ids[:end]
            segment = self._kept.get(key)
            if segment is None:
                break
            found.append(segment)
            keys.append(key)
        for key in reversed(keys):  # a beginning outlives what follows it
            self._kept.move_to_end(key)
        return found

    def keep(self, ids: Ids, ends: Sequence[int], segments: Sequence[Segment]) -> None:
        """All segments of `ids`."""
        for end, segment in reversed(list(zip(ends, segments, strict=True))):
            key = ids[:end]
            old = self._kept.pop(key, None)
            self.tokens += segment.tokens - (old.tokens if old else 0)
            self._kept[key] = segment
        while self.tokens > self._max_tokens:
            _, oldest = self._kept.popitem(last=False)
            self.tokens -= oldest.tokens
