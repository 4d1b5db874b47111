"""The engines that a search runs on: one call, one attempt.

An attempt has a key of its own on the way to the engine (the call key and a number): a call that is asked again, after
a failure or by another claim of its job, must never join an earlier attempt that is being aborted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.calibration import Calibration
from domain.errors import EngineError
from domain.ids import call_key
from domain.moves import Failed, FailureKind, Move, Outcome, Sample, Sampled, Score, Scored
from domain.ports import AnswerEquivalence, Policy, SampleRequest, ScoreRequest, Verifier
from orchestrator.known import Known

VERIFIER_MISSING = "this stack has no verifier: choose a strategy without one"


@dataclass(frozen=True)
class Engines:
    policy: Policy
    verifier: Verifier | None
    equivalence: AnswerEquivalence | None = None
    calibration: Calibration | None = None
    """What was fitted for exactly these models; None: confidence is agreement."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count, repr=False)
    _attempts: dict[str, str] = field(default_factory=dict, repr=False)
    """The attempt that is under way for a call key."""

    def model_id(self, move: Move) -> str:
        """Which model this move is for, as call keys and records name it."""
        if isinstance(move, Sample):
            return self.policy.info.id
        return "none" if self.verifier is None else self.verifier.info.id

    def key(self, job: str, move: Move) -> str:
        """The call key: the same move of the same job on the same model is the same call, whenever it runs."""
        if isinstance(move, Sample):
            parameters = f"{move.parent}|{move.max_tokens}|{move.temperature}|{move.top_p}|{move.stop}"
            return call_key(job, "sample", move.node, move.seed, self.model_id(move), parameters)
        # A node may be scored with what follows it, too, so that the text is part of the call.
        parameters = f"{move.max_tokens}|{move.solution}"
        return call_key(job, "score", move.node, move.seed, self.model_id(move), parameters)

    def abort(self, keys: Iterable[str]) -> None:
        """Stop the attempts that are under way for these call keys."""
        attempts = [self._attempts[key] for key in keys if key in self._attempts]
        if attempts:
            self.policy.abort(attempts)
        if attempts and self.verifier is not None:
            self.verifier.abort(attempts)

    async def attempt(self, move: Move, key: str, problem: str, max_tokens: int, known: Known) -> Outcome:
        """Run a call once, charged by what its job has had read; `max_tokens` is what the ledger granted.

        Raises EngineError, whose cost is in full.
        """
        attempt = self._attempts[key] = f"{key}#{next(self._numbers)}"
        try:
            if isinstance(move, Sample):
                return await self._sample(move, attempt, problem, max_tokens, known)
            return await self._score(move, attempt, problem, known)
        finally:
            if self._attempts.get(key) == attempt:
                del self._attempts[key]

    async def _sample(self, move: Sample, key: str, problem: str, max_tokens: int, known: Known) -> Outcome:
        numbers = (move.seed, max_tokens, move.stop, move.temperature, move.top_p)
        done = await self.policy.sample(SampleRequest(key, problem, move.prefix, *numbers, move.attempts))
        # A token of probability 0 (by top-p, or by rounding) has no logarithm that JSON could hold.
        logprob = done.logprob if done.logprob is not None and math.isfinite(done.logprob) else None
        cost = known.sample(move, done.text, done.finish, done.cost, done.ends)
        return Sampled(move.id, done.text, done.finish, done.answer, logprob, cost)

    async def _score(self, move: Score, key: str, problem: str, known: Known) -> Outcome:
        if self.verifier is None:
            raise EngineError(VERIFIER_MISSING, retryable=False)
        done = await self.verifier.score(ScoreRequest(key, problem, move.solution, move.seed, move.max_tokens))
        cost = known.score(move.solution, done.cost, done.ends)
        if not all(0.0 <= score <= 1.0 for score in done.scores):
            return Failed(move.id, FailureKind.INVALID, "the verifier gave a score outside of 0 to 1", cost)
        return Scored(move.id, done.scores, cost)
