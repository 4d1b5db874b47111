"""The two forward passes of the engine, prefill and one decoding step, on any causal language model."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicCache

from inference.engines.batch import Batch
from inference.engines.cache import is_mergeable, left_padded, positions_from
from inference.loading import Loaded

_MASK_TAKEN_AS_IS = frozenset({"gemma", "granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3"})
"""Model types whose only use of the mask is attention: they take a ready [B, 1, 1, T] one, which saves making it."""


class Forward:
    """Gives logits [B, V] of the last position."""

    def __init__(self, loaded: Loaded) -> None:
        self._model = loaded.model
        self._config = loaded.model.config
        self._pad = loaded.pad_id
        self._device = loaded.device
        self.mergeable = is_mergeable(self._config)
        accepted = inspect.signature(loaded.model.forward).parameters
        self._extra: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self._takes_positions = "position_ids" in accepted
        self._ready_mask = (
            self.mergeable
            and self._config.model_type in _MASK_TAKEN_AS_IS
            and self._config._attn_implementation == "sdpa"
        )

    def prefill(self, prompts: list[tuple[int, ...]]) -> tuple[Tensor, Any]:
        """Logits after each prompt, and the new cache, left-padded to the longest one."""
        ids, mask = left_padded(prompts, self._pad, self._device)
        cache = DynamicCache(config=self._config)
        return self._run(ids, mask, positions_from(mask), cache), cache

    def decode(self, batch: Batch) -> Tensor:
        """One token on for every row."""
        mask = batch.advance()
        shaped = mask[:, None, None] if self._ready_mask else mask.long()
        return self._run(batch.tokens[:, None], shaped, batch.lengths[:, None], batch.cache)

    def _run(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        where = {"position_ids": positions} if self._takes_positions else {}
        output = self._model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **where, **self._extra
        )
        logits: Tensor = output.logits[:, -1]
        return logits
