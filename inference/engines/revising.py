"""A policy and a reviser as one engine: a call with earlier attempts goes to the reviser, any other to the policy.

As in arXiv 2408.03314, section 6, the revision model is a fine-tuned model of its own. Law: each call is worked and
charged by the one core that took it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.calibration import REVISER_MARK, checksum
from domain.errors import EngineError
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.engines.base import CallFailure, Engine


class RevisingEngine:
    """Implements `inference.engines.base.Engine` over two others, each with a batch of its own."""

    def __init__(self, policy: Engine, reviser: Engine) -> None:
        self._policy, self._reviser = policy, reviser
        self._taken: dict[str, Engine] = {}
        first, second = policy.info, reviser.info
        self.info = ModelInfo(
            id=f"{first.id}{REVISER_MARK}{checksum(second.id)}",
            # What is reserved for a call must not be less than what either charges for it.
            parameters=max(first.parameters, second.parameters),
            context_tokens=min(first.context_tokens, second.context_tokens),
        )

    @property
    def pending(self) -> int:
        return self._policy.pending + self._reviser.pending

    @property
    def due_s(self) -> float:
        return min((core.due_s for core in self._busy()), default=0.0)

    def add(self, request: SampleRequest) -> None:
        if request.key in self._taken:
            raise EngineError("a call with this key is already running", retryable=False)
        core = self._reviser if request.attempts else self._policy
        core.add(request)
        self._taken[request.key] = core

    def step(self) -> Sequence[Completion | CallFailure]:
        results = [result for core in self._busy() if core.due_s == 0 for result in core.step()]
        for result in results:
            self._taken.pop(result.key, None)
        return results

    def abort(self, keys: Iterable[str]) -> None:
        by_core: dict[int, list[str]] = {}
        for key in keys:
            if key in self._taken:
                by_core.setdefault(id(self._taken[key]), []).append(key)
        for core in (self._policy, self._reviser):
            if id(core) in by_core:
                core.abort(by_core[id(core)])

    def reset(self) -> None:
        self._taken.clear()
        self._policy.reset()
        self._reviser.reset()

    def _busy(self) -> list[Engine]:
        return [core for core in (self._policy, self._reviser) if core.pending]
