"""Process reward models on the fast CPU path: of a solution, only what follows a kept beginning is read.

Law: the same scores and costs as the plain paths, up to rounding. The cost is that of the whole solution whatever is
kept, and `ends` say where its steps end: what a job pays depends on what this job has asked, never on what is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

import torch
from torch import Tensor

from inference.engines.fast.beginnings import Beginnings, Reading
from inference.engines.fast.pure import PureModel
from inference.engines.fast.segments import Left
from inference.engines.fast.weights import fused
from inference.loading import Loaded
from inference.verifiers.token_classification import RIGHT, Call, Limits, TokenClassificationVerifier


class KeptPrefixes(TokenClassificationVerifier, Generic[Left]):
    """Implements `inference.engines.base.Scorer` for models that `inference.engines.fast.weights` covers."""

    keeps = True

    def __init__(
        self, loaded: Loaded, spec: str, limits: Limits | None = None, *, kept_tokens: int | None = None
    ) -> None:
        super().__init__(loaded, spec, limits)
        self._model = PureModel(fused(loaded.model))
        self._loaded = replace(loaded, model=None)  # its matrices have been copied: nothing needs them twice
        self._kept_tokens = kept_tokens
        self._forget()

    @property
    def read_tokens(self) -> int:
        """Tokens that went through the model since the last `reset`."""
        return self._beginnings.read_tokens

    def reset(self) -> None:
        super().reset()
        self._forget()

    def _forget(self) -> None:
        self._beginnings: Beginnings[Left] = Beginnings(self._model, self._leave, self._kept_tokens)

    def _work(self, call: Call) -> int:
        return len(self._beginnings.find(call.encoded.ids, call.encoded.ends).fresh)

    @torch.inference_mode()
    def _steps(self, batch: list[Call]) -> list[list[Left]]:
        """What the steps of each solution left."""
        segments = self._beginnings.get({call.encoded.ids: call.encoded.ends for call in batch})
        return [[step.left for step in segments[call.encoded.ids][1:]] for call in batch]

    @abstractmethod
    def _leave(self, readings: Sequence[Reading[Left]], states: Tensor) -> list[list[Left]]:
        """See `inference.engines.fast.beginnings.Leave`."""


class KeptPrefixVerifier(KeptPrefixes[float]):
    """The token-classification verifier: a segment leaves P(right) at its last token."""

    def _leave(self, readings: Sequence[Reading[float]], states: Tensor) -> list[list[float]]:
        at = [(row, end - 1 - one.start) for row, one in enumerate(readings) for _, end in one.new_spans]
        rows, columns = zip(*at, strict=True)
        right = iter(self._model.head(states[rows, columns]).float().softmax(-1)[:, RIGHT].tolist())
        return [[next(right) for _ in one.new_spans] for one in readings]

    def _scores(self, batch: list[Call]) -> list[list[float]]:
        return self._steps(batch)
