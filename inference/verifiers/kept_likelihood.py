"""The step-likelihood verifier with kept beginnings.

Law: the numbers of `inference.verifiers.step_likelihood`, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engines.fast.beginnings import Reading
from inference.loading import Loaded
from inference.verifiers.kept_prefix import KeptPrefixes
from inference.verifiers.likelihood_features import Surprise, own_end, step_features, surprises
from inference.verifiers.step_likelihood import LikelihoodHead, separator_tokens
from inference.verifiers.token_classification import Call, Limits


@dataclass(frozen=True)
class Surprised:
    """What a step left."""

    state: Tensor
    """The last layer's hidden state [E] at its last token, from which the next step's first token is judged."""
    tokens: Sequence[Surprise]
    """Of its own tokens, without the separator; empty for the prompt."""


class KeptLikelihoodVerifier(KeptPrefixes[Surprised]):
    def __init__(
        self,
        loaded: Loaded,
        spec: str,
        head: LikelihoodHead,
        limits: Limits | None = None,
        *,
        kept_tokens: int | None = None,
    ) -> None:
        super().__init__(loaded, spec, limits, kept_tokens=kept_tokens)
        self._head = head.to(loaded.device)
        self._separator_tokens = separator_tokens(loaded, self._separator)

    def _leave(self, readings: Sequence[Reading[Surprised]], states: Tensor) -> list[list[Surprised]]:
        own = [[self._own(span) for span in one.new_spans] for one in readings]
        judged = [_before(row, one, span, states) for row, one in enumerate(readings) for span in own[row]]
        ids = [token for row, one in enumerate(readings) for start, end in own[row] for token in one.ids[start:end]]
        read = surprises(self._model.head(torch.cat(judged)), torch.tensor(ids)) if ids else []
        numbers = iter(read)
        return [
            [
                Surprised(states[row, end - 1 - one.start].clone(), [next(numbers) for _ in range(*span)])
                for span, (_, end) in zip(own[row], one.new_spans, strict=True)
            ]
            for row, one in enumerate(readings)
        ]

    def _own(self, span: tuple[int, int]) -> tuple[int, int]:
        """The tokens of a segment that are judged: none of a prompt, and no separator."""
        start, end = span
        return (start, own_end(start, end, self._separator_tokens)) if start else (0, 0)

    def features(self, batch: list[Call]) -> list[Tensor]:
        """[steps, F] of each call."""
        return [step_features([step.tokens for step in steps]) for steps in self._steps(batch)]

    @torch.inference_mode()
    def _scores(self, batch: list[Call]) -> list[list[float]]:
        return self._head.scores(self.features(batch), self._loaded.device)


def _before(row: int, reading: Reading[Surprised], span: tuple[int, int], states: Tensor) -> Tensor:
    """The hidden states [n, E] from which the tokens of a span are judged: each at the token before."""
    start, end = span[0] - 1 - reading.start, span[1] - 1 - reading.start
    if start >= 0 or span == (0, 0):
        return states[row, max(start, 0) : max(end, 0)]
    return torch.cat([reading.known[-1].left.state[None], states[row, :end]])
