"""Reads texts through the model, each beginning once.

Law: the same hidden states as of a whole pass over each text, up to rounding. What is kept is not read; what several
texts of a batch begin with is read once for all of them, before the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from inference.engines.fast.pure import PureModel
from inference.engines.fast.segments import Ids, Left, Segment, Segments
from inference.engines.fast.slots import Slots

MAX_BYTES = 256 << 20
"""Of keys and values that one model keeps."""


@dataclass(frozen=True)
class Reading(Generic[Left]):
    """A text, where its segments end (the last one with the text), and those that are known."""

    ids: Ids
    ends: tuple[int, ...]
    known: tuple[Segment[Left], ...]

    @property
    def start(self) -> int:
        return self.ends[len(self.known) - 1] if self.known else 0

    @property
    def fresh(self) -> Ids:
        return self.ids[self.start :]

    @property
    def new_spans(self) -> list[tuple[int, int]]:
        """Start and end of each segment that is not known."""
        bounds = (0, *self.ends)
        return list(zip(bounds[len(self.known) :], bounds[len(self.known) + 1 :], strict=False))

    def up_to(self, segments: int) -> Reading[Left]:
        """Its first segments as a text of their own."""
        return Reading(self.ids[: self.ends[segments - 1]], self.ends[:segments], self.known)


Leave = Callable[[Sequence[Reading[Left]], Tensor], list[list[Left]]]
"""From readings and the hidden states [B, T, E] of their fresh tokens: what each one's new segments leave."""


class Beginnings(Generic[Left]):
    def __init__(self, model: PureModel, leave: Leave[Left], max_tokens: int | None = None) -> None:
        weights = model.weights
        token_bytes = 8 * len(weights.layers) * weights.key_heads * weights.head_size
        self._model, self._leave = model, leave
        self.kept: Segments[Left] = Segments(MAX_BYTES // token_bytes if max_tokens is None else max_tokens)
        self.read_tokens = 0
        """Tokens that went through the model."""

    def find(self, ids: Ids, ends: tuple[int, ...]) -> Reading[Left]:
        return Reading(ids, ends, tuple(self.kept.beginning(ids, ends)))

    def get(self, asked: Mapping[Ids, tuple[int, ...]]) -> dict[Ids, list[Segment[Left]]]:
        """All segments of these texts, cut at their ends; those that are not kept are read."""
        readings = [self.find(ids, ends) for ids, ends in asked.items()]
        while shared := _shared(readings):
            known = {one.ids: tuple(segments) for one, segments in zip(shared, self._read(shared), strict=True)}
            readings = [_with(reading, known) for reading in readings]
        fresh = [reading for reading in readings if reading.fresh]
        read = dict(zip((reading.ids for reading in fresh), self._read(fresh), strict=True)) if fresh else {}
        return {reading.ids: read.get(reading.ids) or list(reading.known) for reading in readings}

    def keep(self, reading: Reading[Left], slots: Slots, slot: int, left: Iterable[Left]) -> list[Segment[Left]]:
        """Keep a text whose keys and values are in a slot; `left` is of its new segments. All of its segments."""
        new = (slots.taken(slot, start, end, one) for (start, end), one in zip(reading.new_spans, left, strict=True))
        segments = [*reading.known, *new]
        self.kept.keep(reading.ids, reading.ends, segments)
        return segments

    def _read(self, readings: Sequence[Reading[Left]]) -> list[list[Segment[Left]]]:
        """One forward pass over what is not known, padded on the right, where causal attention does not look."""
        width = max(len(reading.fresh) for reading in readings)
        self.read_tokens += sum(len(reading.fresh) for reading in readings)
        slots = Slots(self._model.weights, 0)
        slots.reserve(len(readings), max(reading.start for reading in readings) + width)
        for slot, reading in enumerate(readings):
            slots.put(slot, reading.known)
        ids = torch.tensor([[*reading.fresh, *[0] * (width - len(reading.fresh))] for reading in readings])
        starts = torch.tensor([reading.start for reading in readings])
        states = self._model.read(ids, starts, slots.columns, slots.keys, slots.values)
        left = self._leave(readings, states)
        return [self.keep(one, slots, slot, left[slot]) for slot, one in enumerate(readings)]


def _shared(readings: Sequence[Reading[Left]]) -> list[Reading[Left]]:
    """The beginnings that come next in more than one reading, each as long as it is common to all of those."""
    groups: dict[Ids, list[Reading[Left]]] = {}
    for reading in readings:
        if reading.fresh:
            groups.setdefault(reading.ids[: reading.ends[len(reading.known)]], []).append(reading)
    return [_common(group) for group in groups.values() if len(group) > 1]


def _common(group: Sequence[Reading[Left]]) -> Reading[Left]:
    first, *others = group
    segments = len(first.known) + 1
    while segments < len(first.ends) and all(_goes_on_like(first, other, segments + 1) for other in others):
        segments += 1
    return first.up_to(segments)


def _goes_on_like(one: Reading[Left], other: Reading[Left], segments: int) -> bool:
    end = one.ends[segments - 1]
    return other.ends[:segments] == one.ends[:segments] and other.ids[:end] == one.ids[:end]


def _with(reading: Reading[Left], known: Mapping[Ids, tuple[Segment[Left], ...]]) -> Reading[Left]:
    for count in range(len(reading.ends), len(reading.known), -1):
        segments = known.get(reading.ids[: reading.ends[count - 1]])
        if segments is not None and len(segments) == count:
            return Reading(reading.ids, reading.ends, segments)
    return reading
