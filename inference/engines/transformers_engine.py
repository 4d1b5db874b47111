"""The policy engine on Hugging Face causal language models: one running batch that all jobs share.

Law: a call's tokens depend on its own request only (up to float rounding), however the batch around it changes.
Calls join as slots free up: newcomers are prefilled together, then merged into the running batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from domain.errors import EngineError
from domain.moves import FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.answers.extract import extract_answer
from inference.engines.admission import Limits, WaitingRoom
from inference.engines.base import ABORTED, CallFailure
from inference.engines.batch import Batch, joined, merged
from inference.engines.forward import Forward
from inference.engines.rows import Row, new_row
from inference.engines.sampling import SamplerRows, choose
from inference.engines.texts import Pieces
from inference.loading import Loaded, eos_ids
from inference.prompts import sample_ids

logger = logging.getLogger(__name__)

_TRIM_TOKENS = 8
"""Leading columns of mere padding that are worth a new mask."""


class TransformersEngine:
    """Implements `inference.engines.base.Engine`."""

    def __init__(self, loaded: Loaded, spec: str, limits: Limits | None = None) -> None:
        self.info: ModelInfo = loaded.info
        self._tokenizer = loaded.tokenizer
        self._pieces = Pieces(loaded.tokenizer)
        self._device = loaded.device
        self._eos = eos_ids(loaded, spec)
        self._forward = Forward(loaded)
        self._waiting = WaitingRoom(limits or Limits(), mergeable=self._forward.mergeable)
        self._batch: Batch | None = None
        self._rows: dict[str, Row] = {}
        self._done: list[Row] = []
        if not self._forward.mergeable:
            logger.warning("this model's cache can't be merged: its calls run in waves, without refill")

    @property
    def pending(self) -> int:
        return len(self._rows)

    @property
    def due_s(self) -> float:
        return 0.0

    def add(self, request: SampleRequest) -> None:
        if request.key in self._rows:
            raise EngineError("a call with this key is already running", retryable=False)
        prompt = tuple(sample_ids(self._tokenizer, request.problem, request.prefix))
        room = self.info.context_tokens - len(prompt)
        if room < 1:
            raise EngineError(
                f"the prompt has {len(prompt)} tokens and the model's context is {self.info.context_tokens}",
                retryable=False,
            )
        if request.max_tokens < 1 or not prompt:
            raise EngineError("max_tokens must be at least 1 and the prompt must not be empty", retryable=False)
        row = new_row(self._pieces, request, prompt, min(request.max_tokens, room))
        self._rows[request.key] = row
        self._waiting.add(row)

    def abort(self, keys: Iterable[str]) -> None:
        for key in keys:
            row = self._rows.get(key)
            if row is not None and row.live:
                row.aborted = True
                self._done.append(row)

    def reset(self) -> None:
        self._waiting.clear()
        self._rows.clear()
        self._done.clear()
        self._batch = None

    @torch.inference_mode()
    def step(self) -> Sequence[Completion | CallFailure]:
        """Admit newcomers if there is room, then draw one token for every row of the batch."""
        newcomers = self._waiting.admit([row for row in self._batch.rows if row.live] if self._batch else [])
        if newcomers:
            self._admit(newcomers)
        self._tidy()
        if self._batch is not None:
            self._advance(self._batch)
        return self._ended()

    # -------------------------------------------------------------------------------------------- admission

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

    # -------------------------------------------------------------------------------------------- decoding

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

    def _advance(self, batch: Batch) -> None:
        logits = self._forward.decode(batch)
        tokens = self._draw(batch.rows, logits, batch.sampler)
        batch.moved_on(tokens, self.info.context_tokens)

    def _draw(self, rows: Sequence[Row], logits: Tensor, sampler: SamplerRows) -> Tensor:
        tokens, logprobs = choose(logits, sampler)
        for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            if row.live:
                row.take(token, logprob, self._eos)
                if row.finish is not None:
                    self._done.append(row)
        return tokens

    # -------------------------------------------------------------------------------------------- results

    def _ended(self) -> list[Completion | CallFailure]:
        ended, self._done = self._done, []
        for row in ended:
            del self._rows[row.request.key]
        return [self._result(row) for row in ended]

    def _result(self, row: Row) -> Completion | CallFailure:
        key, cost = row.request.key, row.cost(self.info.parameters)
        if row.finish is None:
            return CallFailure(key, ABORTED, retryable=False, cost=cost)
        if row.logprob != row.logprob:
            return CallFailure(key, "the model gave probabilities that are not numbers", retryable=False, cost=cost)
        whole = row.request.prefix + row.text
        answer = extract_answer(whole) if row.finish is FinishReason.END else None
        return Completion(key, row.text, row.finish, answer, row.logprob, cost)
