"""Prompts that were read and solutions that were written, kept while they may be asked to go on.

Law: known by their tokens, never by their text; what is not found is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from domain.moves import STEP_SEPARATOR, FinishReason
from inference.engines.fast.beginnings import Beginnings, Reading
from inference.engines.fast.pure import PureModel
from inference.engines.fast.segments import Ids, Segment
from inference.engines.fast.slots import Slots
from inference.engines.rows import Row
from inference.engines.texts import Pieces

State: TypeAlias = Tensor | None
"""The last layer's hidden state [E] of a segment's last token, where it is known."""


@dataclass(frozen=True)
class Known:
    """A prompt, or all of it but its last token (then there are no logits)."""

    segments: Sequence[Segment[State]]
    logits: Tensor | None


class Prompts:
    def __init__(self, model: PureModel, pieces: Pieces, max_tokens: int | None = None) -> None:
        self._model, self._pieces = model, pieces
        self.beginnings: Beginnings[State] = Beginnings(model, _last_states, max_tokens)

    def get(self, rows: Sequence[Row]) -> dict[Ids, Known]:
        """Each distinct prompt, by its ids. Where all but the last token is kept, nothing is read: a decoding step can
        read that one."""
        readings = {row.prompt: self.beginnings.find(row.prompt, _whole(row)) for row in rows}
        segments: dict[Ids, Sequence[Segment[State]]] = {
            ids: reading.known for ids, reading in readings.items() if reading.start >= len(ids) - 1
        }
        segments |= self.beginnings.get({ids: one.ends for ids, one in readings.items() if ids not in segments})
        ends = {ids: known[-1].left for ids, known in segments.items() if readings[ids].ends[-1] == _length(known)}
        states = {ids: state for ids, state in ends.items() if state is not None}
        logits = dict(zip(states, self._model.head(torch.stack(list(states.values()))), strict=True)) if states else {}
        return {ids: Known(known, logits.get(ids)) for ids, known in segments.items()}

    def keep(self, row: Row, slots: Slots, slot: int) -> None:
        """Keep what a row has read and written, up to where it may be asked to go on."""
        ids = (*row.prompt, *row.ids[:-1])
        ends = tuple(dict.fromkeys((*_cuts(row), *self._written_cuts(row))))
        reading: Reading[State] = self.beginnings.find(ids[: ends[-1]], ends)
        if reading.fresh:
            self.beginnings.keep(reading, slots, slot, [None] * len(reading.new_spans))

    def _written_cuts(self, row: Row) -> list[int]:
        """Before the last token of each separator that the row wrote; at its end, if it may be continued there."""
        tail, cuts = "", []
        for at, token in enumerate(row.ids[:-1]):
            tail = (tail + self._pieces.piece(token))[-len(STEP_SEPARATOR) :]
            if tail == STEP_SEPARATOR:
                tail = ""
                cuts.append(len(row.prompt) + at)
        return [*cuts, row.length] if row.finish is FinishReason.STOP else cuts


def _cuts(row: Row) -> tuple[int, ...]:
    """Where the segments of a prompt end: a separator's last token belongs to the next step, since a row that ends with
    it has not read it."""
    first, *steps = row.ends
    return tuple(dict.fromkeys((first, *(max(first, end - 1) for end in steps))))


def _whole(row: Row) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*_cuts(row), len(row.prompt))))


def _length(segments: Sequence[Segment[Any]]) -> int:
    return sum(segment.tokens for segment in segments)


def _last_states(readings: Sequence[Reading[State]], states: Tensor) -> list[list[State]]:
    """[B, T, E] at the end of each new segment."""
    return [
        [states[row, end - 1 - reading.start].clone() for _, end in reading.new_spans]
        for row, reading in enumerate(readings)
    ]
