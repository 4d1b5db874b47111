"""The plain path: Hugging Face causal language models of any architecture, by their own forward pass.

Calls join as slots free up: newcomers are prefilled together, then merged into the running batch.
"""

from __future__ import annotations

import logging

import torch

from inference.engines.admission import Limits, WaitingRoom
from inference.engines.batch import Batch, joined, merged
from inference.engines.batched import BatchedEngine
from inference.engines.forward import Forward
from inference.engines.rows import Row
from inference.engines.sampling import SamplerRows
from inference.loading import Loaded

logger = logging.getLogger(__name__)

_TRIM_TOKENS = 8
"""Leading columns of mere padding that are worth a new mask."""


class TransformersEngine(BatchedEngine):
    """Implements `inference.engines.base.Engine`."""

    def __init__(self, loaded: Loaded, spec: str, limits: Limits | None = None) -> None:
        self._forward = Forward(loaded)
        super().__init__(loaded, spec, WaitingRoom(limits or Limits(), mergeable=self._forward.mergeable))
        self._batch: Batch | None = None
        if not self._forward.mergeable:
            logger.warning("this model's cache can't be merged: its calls run in waves, without refill")

    @property
    def columns(self) -> int:
        """Cache columns that the last step read."""
        return self._batch.length if self._batch else 0

    def _running(self) -> list[Row]:
        return [row for row in self._batch.rows if row.live] if self._batch else []

    def _forget(self) -> None:
        self._batch = None

    def _admit(self, newcomers: list[Row]) -> None:
        """Prefill each distinct prompt once, draw the first tokens, and merge the rows that go on."""
        prompts = list(dict.fromkeys(row.prompt for row in newcomers))
        if not self._forward.mergeable:
            prompts = [row.prompt for row in newcomers]
        place = {prompt: index for index, prompt in enumerate(prompts)}
        source = [place[row.prompt] for row in newcomers] if self._forward.mergeable else range(len(newcomers))
        logits, cache = self._forward.prefill(prompts)
        at = torch.tensor(list(source), device=self._device)
        self._draw(newcomers, logits[at], SamplerRows.of([row.sampler for row in newcomers], self._device))
        if self._forward.mergeable:
            going = [index for index, row in enumerate(newcomers) if row.live]
            self._batch = joined(self._batch, [newcomers[index] for index in going], cache, at[going], self._device)
        else:
            self._batch = Batch(newcomers, cache, max(map(len, prompts)), self._device)

    def _advance(self) -> None:
        self._tidy()
        if self._batch is not None:
            logits = self._forward.decode(self._batch)
            tokens = self._draw(self._batch.rows, logits, self._batch.sampler)
            self._batch.moved_on(tokens, self.info.context_tokens)

    def _tidy(self) -> None:
        """Drop dead rows once they are worth a copy of the cache, and leading padding, which costs none."""
        batch = self._batch
        if batch is None:
            return
        live = len(batch.live)
        if not live:
            self._batch = None
        elif self._forward.mergeable:
            dead = len(batch.rows) - live
            if dead * 6 > len(batch.rows):
                none = torch.zeros(0, dtype=torch.int64, device=self._device)
                self._batch = merged(batch, [], None, none, self._device)
            elif batch.padding >= _TRIM_TOKENS:
                batch.trim()
