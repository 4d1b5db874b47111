"""What all engines with a running batch share: calls in, tokens drawn, results out.

Law: a call's tokens depend on its own request only (up to float rounding), however the batch around it changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from domain.errors import EngineError
from domain.moves import FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.answers.extract import extract_answer
from inference.engines.admission import WaitingRoom
from inference.engines.base import ABORTED, CallFailure
from inference.engines.rows import Row, new_row
from inference.engines.sampling import SamplerRows, choose
from inference.engines.texts import Pieces
from inference.loading import Loaded, eos_ids
from inference.prompts import sample_prompt


class BatchedEngine(ABC):
    """Implements `inference.engines.base.Engine` but for the batch itself."""

    keeps = False
    """Whether it keeps what it read and wrote, so that a prompt which goes on from there is not read again."""

    def __init__(self, loaded: Loaded, spec: str, waiting: WaitingRoom) -> None:
        self.info: ModelInfo = loaded.info
        self._tokenizer = loaded.tokenizer
        self._pieces = Pieces(loaded.tokenizer)
        self._device = loaded.device
        self._eos = eos_ids(loaded, spec)
        self._waiting = waiting
        self._rows: dict[str, Row] = {}
        self._done: list[Row] = []

    @abstractmethod
    def _running(self) -> list[Row]:
        """Live rows of the batch."""

    @abstractmethod
    def _admit(self, newcomers: list[Row]) -> None:
        """Read the prompts, draw the first tokens, and take those that go on into the batch."""

    @abstractmethod
    def _advance(self) -> None:
        """Draw one token for every row of the batch, if there is one."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop the batch."""

    @property
    def pending(self) -> int:
        return len(self._rows)

    @property
    def due_s(self) -> float:
        return 0.0

    def add(self, request: SampleRequest) -> None:
        if request.key in self._rows:
            raise EngineError("a call with this key is already running", retryable=False)
        prompt, ends = sample_prompt(self._tokenizer, request.problem, request.prefix, request.attempts)
        room = self.info.context_tokens - len(prompt)
        if room < 1:
            raise EngineError(
                f"the prompt has {len(prompt)} tokens and the model's context is {self.info.context_tokens}",
                retryable=False,
            )
        if request.max_tokens < 1 or not prompt:
            raise EngineError("max_tokens must be at least 1 and the prompt must not be empty", retryable=False)
        row = new_row(self._pieces, request, prompt, min(request.max_tokens, room), ends)
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
        self._forget()

    @torch.inference_mode()
    def step(self) -> Sequence[Completion | CallFailure]:
        """Admit newcomers if there is room, then draw one token for every row of the batch."""
        newcomers = self._waiting.admit(self._running())
        if newcomers:
            self._admit(newcomers)
        self._advance()
        return self._ended()

    def _draw(self, rows: Sequence[Row], logits: Tensor, sampler: SamplerRows) -> Tensor:
        tokens, logprobs = choose(logits, sampler)
        for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            if row.live:
                row.take(token, logprob, self._eos)
                if row.finish is not None:
                    self._done.append(row)
        return tokens

    def _ended(self) -> list[Completion | CallFailure]:
        ended, self._done = self._done, []
        for row in ended:
            del self._rows[row.request.key]
        return [self._result(row) for row in ended]

    def _result(self, row: Row) -> Completion | CallFailure:
        key, cost = row.request.key, row.cost(self.info.parameters)
        ends = row.ends if self.keeps else ()
        if row.finish is None:
            return CallFailure(key, ABORTED, retryable=False, cost=cost, ends=ends)
        if row.logprob != row.logprob:
            message = "the model gave probabilities that are not numbers"
            return CallFailure(key, message, retryable=False, cost=cost, ends=ends)
        whole = row.request.prefix + row.text
        answer = extract_answer(whole) if row.finish is FinishReason.END else None
        return Completion(key, row.text, row.finish, answer, row.logprob, cost, ends)
