"""A process reward model: two-class token head, read at each step's separator (the format of TRL's PRM trainer).

Law: one score a step, or an error. Nothing is cut, padded or made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from domain.budget import Spend
from domain.errors import ConfigurationError, EngineError
from domain.moves import STEP_SEPARATOR, split_steps
from domain.ports import ModelInfo, ScoreRequest, StepScores
from inference.engines.base import ABORTED, CallFailure
from inference.loading import Loaded
from inference.steps import EncodedSolution, encode_solution_for_scoring

RIGHT = 1
"""The label of a right step."""


@dataclass(frozen=True, slots=True)
class Limits:
    rows: int = 64
    tokens: int = 16_384
    """Rows times the longest row of one forward pass."""


@dataclass(slots=True, eq=False)
class Call:
    request: ScoreRequest
    encoded: EncodedSolution

    @property
    def length(self) -> int:
        return len(self.encoded.ids)


class TokenClassificationVerifier:
    """Implements `inference.engines.base.Scorer`."""

    keeps = False
    """Whether it keeps what it read, so that a solution with the same beginning is not read again from its start."""

    def __init__(self, loaded: Loaded, spec: str, limits: Limits | None = None) -> None:
        config = loaded.model.config
        if config.num_labels != 2:
            raise ConfigurationError(f"verifier {spec} has {config.num_labels} labels: 2 are needed (wrong, right)")
        self.info: ModelInfo = loaded.info
        self._loaded = loaded
        self._limits = limits or Limits()
        self._separator = getattr(config, "step_separator", None) or STEP_SEPARATOR
        self._calls: dict[str, Call] = {}
        self._aborted: list[str] = []

    @property
    def pending(self) -> int:
        return len(self._calls)

    @property
    def due_s(self) -> float:
        return 0.0

    def add(self, request: ScoreRequest) -> None:
        if request.key in self._calls:
            raise EngineError("a call with this key is already running", retryable=False)
        steps = split_steps(request.solution)
        if not steps:
            raise EngineError("there is no step to score", retryable=False)
        encoded = encode_solution_for_scoring(self._loaded.tokenizer, request.problem, steps, self._separator)
        if len(encoded.ids) > self.info.context_tokens:
            raise EngineError(
                f"the solution has {len(encoded.ids)} tokens and the verifier reads {self.info.context_tokens}",
                retryable=False,
            )
        self._calls[request.key] = Call(request, encoded)

    def abort(self, keys: Iterable[str]) -> None:
        self._aborted += keys

    def reset(self) -> None:
        self._calls.clear()
        self._aborted.clear()

    def step(self) -> Sequence[StepScores | CallFailure]:
        """Score one batch: the oldest call and those nearest to it in length."""
        keys, self._aborted = self._aborted, []
        results: list[StepScores | CallFailure] = [
            CallFailure(key, ABORTED, retryable=False) for key in keys if self._calls.pop(key, None) is not None
        ]
        batch = self._next_batch()
        for call, scores in zip(batch, self._scores(batch), strict=True) if batch else ():
            del self._calls[call.request.key]
            results.append(self._result(call, scores))
        return results

    def _next_batch(self) -> list[Call]:
        calls = [call for call, _ in zip(self._calls.values(), range(4 * self._limits.rows), strict=False)]
        if not calls:
            return []
        work = [self._work(call) for call in calls]
        calls = [call for _, call in sorted(zip(work, calls, strict=True), key=lambda pair: abs(pair[0] - work[0]))]
        batch: list[Call] = []
        longest = 0
        for call in calls[: self._limits.rows]:
            longest = max(longest, call.length)
            if batch and longest * (len(batch) + 1) > self._limits.tokens:
                break
            batch.append(call)
        return batch

    def _work(self, call: Call) -> int:
        """Tokens that a forward pass has to read for this call: calls alike in it go together."""
        return call.length

    @torch.inference_mode()
    def _scores(self, batch: list[Call]) -> list[list[float]]:
        """P(right) at each step's separator: one padded forward pass, then only the separators' rows are read."""
        device, pad = self._loaded.device, self._loaded.pad_id
        width = max(call.length for call in batch)
        ids = [[*call.encoded.ids, *[pad] * (width - call.length)] for call in batch]
        mask = [[1] * call.length + [0] * (width - call.length) for call in batch]
        logits = self._loaded.model(
            input_ids=torch.tensor(ids, device=device), attention_mask=torch.tensor(mask, device=device)
        ).logits  # [B, T, 2]
        rows = [row for row, call in enumerate(batch) for _ in call.encoded.positions]
        columns = [position for call in batch for position in call.encoded.positions]
        flat = logits[rows, columns].float().softmax(-1)[:, RIGHT].tolist()
        parts = iter(flat)
        return [[next(parts) for _ in call.encoded.positions] for call in batch]

    def _result(self, call: Call, scores: list[float]) -> StepScores | CallFailure:
        key = call.request.key
        cost = Spend(verified_tokens=call.length, flops=2.0 * self.info.parameters * call.length, verifier_calls=1)
        ends = call.encoded.ends if self.keeps else ()
        if not all(0.0 <= score <= 1.0 for score in scores):
            message = "the verifier gave scores that are not numbers"
            return CallFailure(key, message, retryable=False, cost=cost, ends=ends)
        return StepScores(key, tuple(scores), cost, ends)
