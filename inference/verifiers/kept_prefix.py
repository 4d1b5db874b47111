"""The process reward model on the fast CPU path: of a solution, only what follows a kept beginning is read.

Law: the same scores and costs as the plain path (`inference.verifiers.token_classification`), up to rounding. The cost
is that of the whole solution whatever is kept: a replay must not depend on what was scored before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from inference.engines.fast.pure import PureModel
from inference.engines.fast.slots import Slots
from inference.engines.fast.weights import fused
from inference.loading import Loaded
from inference.verifiers.segments import Segment, Segments
from inference.verifiers.token_classification import RIGHT, Call, Limits, TokenClassificationVerifier

_MAX_TOKENS = 65_536
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class _Reading:
    """A distinct solution and what is kept of it."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]
    """Ends of the prompt and of each step."""
    kept: tuple[Segment, ...]

    @property
    def start(self) -> int:
        return self.ends[len(self.kept) - 1] if self.kept else 0

    @property
    def fresh(self) -> tuple[int, ...]:
        return self.ids[self.start :]


class KeptPrefixVerifier(TokenClassificationVerifier):
    """Implements `inference.engines.base.Scorer` for models that `inference.engines.fast.weights` covers."""

    def __init__(
        self, loaded: Loaded, spec: str, limits: Limits | None = None, *, max_tokens: int | None = None
    ) -> None:
        super().__init__(loaded, spec, limits)
        weights = fused(loaded.model)
        self._loaded = replace(loaded, model=None)  # its matrices have been copied: nothing needs them twice
        self._model = PureModel(weights)
        token_bytes = 8 * len(weights.layers) * weights.key_heads * weights.head_size
        self._kept_tokens = min(_MAX_TOKENS, _MAX_BYTES // token_bytes) if max_tokens is None else max_tokens
        self._segments = Segments(self._kept_tokens)
        self.read_tokens = 0
        """Tokens that went through the model."""

    def reset(self) -> None:
        super().reset()
        self._segments = Segments(self._kept_tokens)

    def _work(self, call: Call) -> int:
        return len(self._reading(call).fresh)

    @torch.inference_mode()
    def _scores(self, batch: list[Call]) -> list[list[float]]:
        readings = {call.encoded.ids: self._reading(call) for call in batch}
        scores = {ids: self._known(reading) for ids, reading in readings.items() if not reading.fresh}
        scores |= self._read([reading for reading in readings.values() if reading.fresh])
        return [scores[call.encoded.ids] for call in batch]

    def _reading(self, call: Call) -> _Reading:
        encoded = call.encoded
        ends = (encoded.prompt, *(position + 1 for position in encoded.positions))
        return _Reading(encoded.ids, ends, tuple(self._segments.beginning(encoded.ids, ends)))

    def _known(self, reading: _Reading) -> list[float]:
        return [segment.score for segment in reading.kept if segment.score is not None]

    def _read(self, readings: list[_Reading]) -> dict[tuple[int, ...], list[float]]:
        """One forward pass over what is not kept."""
        if not readings:
            return {}
        slots = self._filled(readings)
        width = max(len(reading.fresh) for reading in readings)
        self.read_tokens += sum(len(reading.fresh) for reading in readings)
        ids = torch.tensor([[*reading.fresh, *[0] * (width - len(reading.fresh))] for reading in readings])
        starts = torch.tensor([reading.start for reading in readings])
        states = self._model.read(ids, starts, slots.columns, slots.keys, slots.values)
        new_ends = [[end for end in reading.ends[1:] if end > reading.start] for reading in readings]
        rows = [row for row, ends in enumerate(new_ends) for _ in ends]
        columns = [end - 1 - reading.start for reading, ends in zip(readings, new_ends, strict=True) for end in ends]
        right = iter(self._model.head(states[rows, columns]).float().softmax(-1)[:, RIGHT].tolist())
        result = {}
        for row, (reading, ends) in enumerate(zip(readings, new_ends, strict=True)):
            scores = self._known(reading) + [next(right) for _ in ends]
            self._keep(reading, scores, slots, row)
            result[reading.ids] = scores
        return result

    def _filled(self, readings: list[_Reading]) -> Slots:
        """Buffers with the kept beginnings in their places."""
        width = max(len(reading.fresh) for reading in readings)
        slots = Slots(self._model.weights, 0)
        slots.reserve(len(readings), max(reading.start for reading in readings) + width)
        for row, reading in enumerate(readings):
            for segment, end in zip(reading.kept, reading.ends, strict=False):
                slots.keys[:, row, :, end - segment.tokens : end] = segment.keys
                slots.values[:, row, :, end - segment.tokens : end] = segment.values
        return slots

    def _keep(self, reading: _Reading, scores: list[float], slots: Slots, row: int) -> None:
        segments = list(reading.kept)
        known: list[float | None] = [None, *scores]
        for index in range(len(segments), len(reading.ends)):
            start, end = reading.ends[index - 1] if index else 0, reading.ends[index]
            keys, values = (part[:, row, :, start:end].clone() for part in (slots.keys, slots.values))
            segments.append(Segment(keys, values, known[index]))
        self._segments.keep(reading.ids, reading.ends, segments)
