"""A deterministic verifier for tests and load runs: it knows the scripted policy's right steps, and errs as told.

Spec: `scripted:auc=0.8,delay_ms=2,fail=0.01,seed=1`. Its scores follow the equal-variance normal model: a right and a
wrong step are ranked rightly with probability `auc`, and a score is the probability that its step is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from domain.budget import Spend
from domain.errors import EngineError
from domain.moves import split_steps
from domain.ports import ModelInfo, ScoreRequest, StepScores
from inference.engines.base import CallFailure
from inference.engines.script import Script, chance
from inference.engines.scripted import ScriptedClock
from inference.engines.work import judged_steps


class ScriptedVerifier:
    """Implements `inference.engines.base.Scorer`."""

    def __init__(self, script: Script, spec: str) -> None:
        self.info = ModelInfo(id=spec, parameters=script.parameters, context_tokens=script.context)
        self._script = script
        self._clock = ScriptedClock(script)
        self._separation = math.sqrt(2) * NormalDist().inv_cdf(min(max(script.auc, 0.001), 0.999))

    @property
    def pending(self) -> int:
        return self._clock.pending

    @property
    def due_s(self) -> float:
        return self._clock.due_s

    def add(self, request: ScoreRequest) -> None:
        if not split_steps(request.solution):
            raise EngineError("there is no step to score", retryable=False)
        self._clock.add(request)

    def abort(self, keys: Iterable[str]) -> None:
        self._clock.abort(keys)

    def reset(self) -> None:
        self._clock.reset()

    def step(self) -> Sequence[StepScores | CallFailure]:
        aborted = self._clock.aborted()
        return aborted or [self._score(request) for request in self._clock.ready()]

    def _score(self, request: ScoreRequest) -> StepScores | CallFailure:
        if self._clock.fails(request.key):
            return CallFailure(request.key, "an injected failure", retryable=True)
        steps = split_steps(request.solution)
        right = judged_steps(self._script, request.problem, steps)
        tokens = len(request.problem + request.solution) // 4 + 1
        cost = Spend(verified_tokens=tokens, flops=2.0 * self.info.parameters * tokens, verifier_calls=1)
        scores = tuple(
            self._probability(is_right, request.problem, step) for is_right, step in zip(right, steps, strict=True)
        )
        return StepScores(request.key, scores, cost)

    def _probability(self, right: bool, problem: str, step: str) -> float:
        """Posterior of "right" under even odds, from a normal draw that the step's own text fixes."""
        draw = min(max(chance(self._script.seed, "score", problem, step), 1e-9), 1 - 1e-9)
        signal = NormalDist().inv_cdf(draw) + (0.5 if right else -0.5) * self._separation
        return 1 / (1 + math.exp(-self._separation * signal))
