"""Keys and values of what was read and written, so that texts with the same beginning are read once.

Law: a segment is known by all tokens up to its end, never by its own alone; the least recently used go first, ends
before beginnings, and what is kept stays within a number of tokens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

Ids = tuple[int, ...]
Left = TypeVar("Left")


@dataclass(frozen=True)
class Segment(Generic[Left]):
    """A prompt, or a step after everything before it."""

    keys: Tensor
    """[layers, K, T, D]"""
    values: Tensor
    left: Left
    """What reading it left beside them."""

    @property
    def tokens(self) -> int:
        return self.keys.shape[2]


class Segments(Generic[Left]):
    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._kept: OrderedDict[Ids, Segment[Left]] = OrderedDict()
        self.tokens = 0
        """Tokens that are kept now."""

    def beginning(self, ids: Ids, ends: Sequence[int]) -> list[Segment[Left]]:
        """The kept segments of `ids`, cut at `ends`, from the first on up to the first that is missing."""
        found: list[Segment[Left]] = []
        keys: list[Ids] = []
        start = 0
        for end in ends:
            key = ids[:end]
            segment = self._kept.get(key)
            if segment is None or segment.tokens != end - start:  # the same tokens, cut elsewhere
                break
            found.append(segment)
            keys.append(key)
            start = end
        for key in reversed(keys):  # a beginning outlives what follows it
            self._kept.move_to_end(key)
        return found

    def keep(self, ids: Ids, ends: Sequence[int], segments: Sequence[Segment[Left]]) -> None:
        """All segments of `ids`, cut at `ends`."""
        for end, segment in reversed(list(zip(ends, segments, strict=True))):
            key = ids[:end]
            old = self._kept.pop(key, None)
            self.tokens += segment.tokens - (old.tokens if old else 0)
            self._kept[key] = segment
        while self.tokens > self._max_tokens:
            _, oldest = self._kept.popitem(last=False)
            self.tokens -= oldest.tokens
