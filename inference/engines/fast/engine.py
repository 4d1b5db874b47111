"""The fast CPU path: Llama-like models by a pure decoding step over buffers that stay.

Same law and same numbers as the plain path (`inference.engines.transformers_engine`), up to rounding: a prompt is read
once for all its rollouts, a step that is continued is not read again, a newcomer costs a copy into a free slot, and
nothing is rebuilt when rows end.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.engines.admission import Limits, WaitingRoom
from inference.engines.batched import BatchedEngine
from inference.engines.fast.prompts import Prompts
from inference.engines.fast.pure import PureModel
from inference.engines.fast.slots import Slots
from inference.engines.fast.weights import fused
from inference.engines.rows import Row
from inference.engines.sampling import SamplerRows
from inference.loading import Loaded


class FastEngine(BatchedEngine):
    """Implements `inference.engines.base.Engine` for models that `inference.engines.fast.weights` covers."""

    _tokens: Tensor
    _lengths: Tensor
    _sampler: SamplerRows
    keeps = True

    def __init__(
        self, loaded: Loaded, spec: str, limits: Limits | None = None, *, kept_tokens: int | None = None
    ) -> None:
        limits = limits or Limits()
        super().__init__(loaded, spec, WaitingRoom(limits, mergeable=True))
        self._model = PureModel(fused(loaded.model))
        self._max_tokens = limits.tokens
        self._kept_tokens = kept_tokens
        self._batch: list[Row] = []
        """The row of each taken slot; dead ones stay until a newcomer or `_tidy` takes their place."""
        self._decoded_tokens = 0
        self._forget()

    @property
    def columns(self) -> int:
        """Cache columns that the next step reads."""
        return max((row.length + 1 for row in self._batch if row.live), default=0)

    @property
    def read_tokens(self) -> int:
        """Tokens that went through the model since the last `reset`: prompts as far as they were not kept, and each
        token that was drawn and not the last."""
        return self._prompts.beginnings.read_tokens + self._decoded_tokens

    def _running(self) -> list[Row]:
        return [row for row in self._batch if row.live]

    def _forget(self) -> None:
        """All that earlier calls left behind, the prompts that were read included."""
        self._prompts = Prompts(self._model, self._pieces, self._kept_tokens)
        self._decoded_tokens = 0
        self._slots = Slots(self._model.weights, self._max_tokens)
        self._batch = []
        self._set_up()

    def _admit(self, newcomers: list[Row]) -> None:
        known = self._prompts.get(newcomers)
        self._draw_first([(row, known[row.prompt].logits) for row in newcomers])
        going = [row for row in newcomers if row.live]
        free = [slot for slot, row in enumerate(self._batch) if not row.live]
        self._slots.reserve(len(self._batch) + max(0, len(going) - len(free)), max(map(len, known), default=0) + 1)
        for index, row in enumerate(going):
            slot = free[index] if index < len(free) else len(self._batch)
            self._slots.put(slot, known[row.prompt].segments)
            self._batch[slot : slot + 1] = [row]
        self._set_up()

    def _draw_first(self, newcomers: list[tuple[Row, Tensor | None]]) -> None:
        """The first tokens of those whose prompts have logits; the others' prompts lack a token, which is read next."""
        ready = [(row, logits) for row, logits in newcomers if logits is not None]
        if ready:
            rows, logits = zip(*ready, strict=True)
            self._draw(rows, torch.stack(logits), SamplerRows.of([row.sampler for row in rows], self._device))

    def _advance(self) -> None:
        self._tidy()
        if not self._batch:
            return
        longest = self.columns
        self._slots.reserve(len(self._batch), longest)
        lengths = self._lengths.clamp_(max=longest - 1)  # dead rows run on, within the room there is
        logits = self._model.step(self._tokens, lengths, longest, self._slots.keys, self._slots.values)
        going = [(slot, row) for slot, row in enumerate(self._batch) if row.live]
        self._decoded_tokens += len(going)
        self._tokens = self._draw(self._batch, logits, self._sampler)
        self._lengths += 1
        for slot, row in going:
            if row.finish is not None:
                self._prompts.keep(row, self._slots, slot)

    def _tidy(self) -> None:
        """Close the gaps of dead rows once they are worth it, by moving rows down from the end."""
        dead = [slot for slot, row in enumerate(self._batch) if not row.live]
        if not dead or len(dead) * 6 <= len(self._batch):
            return
        for slot in dead:
            while self._batch and not self._batch[-1].live:
                self._batch.pop()
            if slot >= len(self._batch):
                break
            row = self._batch.pop()
            self._slots.move(len(self._batch), slot, row.length)
            self._batch[slot] = row
        self._set_up()

    def _set_up(self) -> None:
        """After a change of rows: the tokens to read next, positions and seeds as tensors, each [B]."""
        rows = self._batch
        self._tokens = torch.tensor([(row.ids or row.prompt)[-1] for row in rows], dtype=torch.int64)
        self._lengths = torch.tensor([row.length for row in rows], dtype=torch.int64)
        self._sampler = SamplerRows.of([row.sampler for row in rows], self._device)
