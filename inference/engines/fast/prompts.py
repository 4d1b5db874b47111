"""Prompts that were read, kept while they are likely to be asked for again.

Law: least recently used ones go first, and what is kept stays within a bound on memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import torch

from inference.engines.fast.pure import PureModel
from inference.engines.fast.slots import Kept, Slots

_MAX_BYTES = 64 << 20

Prompt = tuple[int, ...]


class Prompts:
    def __init__(self, model: PureModel, max_bytes: int = _MAX_BYTES) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Prompt, Kept] = OrderedDict()
        self._bytes = 0
        self.read_tokens = 0
        """Prompt tokens that went through the model."""

    def get(self, prompts: Iterable[Prompt]) -> dict[Prompt, Kept]:
        """Each distinct prompt's keys and values; those not kept are read together."""
        wanted = dict.fromkeys(prompts)
        missing = [prompt for prompt in wanted if prompt not in self._kept]
        found = {prompt: self._kept[prompt] for prompt in wanted if prompt in self._kept}
        for prompt in found:
            self._kept.move_to_end(prompt)
        fresh = self._read(missing) if missing else {}
        for prompt, kept in fresh.items():
            self._keep(prompt, kept)
        return found | fresh

    def _read(self, prompts: list[Prompt]) -> dict[Prompt, Kept]:
        """One forward pass over all of them, padded on the right, where causal attention does not look."""
        width = max(map(len, prompts))
        self.read_tokens += sum(map(len, prompts))
        slots = Slots(self._model.weights, 0)
        slots.reserve(len(prompts), width)
        ids = torch.tensor([[*prompt, *[0] * (width - len(prompt))] for prompt in prompts])
        states = self._model.read(ids, torch.zeros(len(prompts), dtype=torch.int64), width, slots.keys, slots.values)
        ends = torch.tensor([len(prompt) - 1 for prompt in prompts])
        logits = self._model.head(states[torch.arange(len(prompts)), ends])
        return {prompt: slots.taken(row, len(prompt), logits[row]) for row, prompt in enumerate(prompts)}

    def _keep(self, prompt: Prompt, kept: Kept) -> None:
        self._kept[prompt] = kept
        self._bytes += kept.size_bytes
        while self._bytes > self._max_bytes and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size_bytes
