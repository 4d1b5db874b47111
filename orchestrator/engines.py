"""The engines that a search runs on, and one call to them with our own retries.

Engines may fail after they ran; a call is repeated under its own key, and its effect and cost count once.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace

from domain.budget import NO_COST
from domain.errors import EngineError
from domain.ids import call_key
from domain.moves import Failed, FailureKind, Move, Outcome, Sample, Sampled, Score, Scored
from domain.ports import AnswerEquivalence, Policy, SampleRequest, ScoreRequest, Verifier

BACKOFF_S = (0.2, 1.0, 5.0)
"""Pauses between the attempts of one call; after the last one it has failed."""


@dataclass(frozen=True, slots=True)
class Engines:
    policy: Policy
    verifier: Verifier | None
    equivalence: AnswerEquivalence | None = None

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
        return call_key(job, "score", move.node, move.seed, self.model_id(move), str(move.max_tokens))

    def abort(self, keys: list[str]) -> None:
        self.policy.abort(keys)
        if self.verifier is not None:
            self.verifier.abort(keys)

    async def perform(self, move: Move, key: str, problem: str, max_tokens: int) -> Outcome:
        """The outcome of a move; a dead engine is an outcome too. `max_tokens` is what the ledger granted.

        What failed attempts used is part of the outcome's cost.
        """
        wasted = NO_COST
        for pause_s in (*BACKOFF_S, None):
            try:
                outcome = await self._call(move, key, problem, max_tokens)
                return replace(outcome, cost=outcome.cost + wasted) if wasted != NO_COST else outcome
            except EngineError as error:
                wasted += error.cost or NO_COST
                kind = FailureKind.ENGINE if error.retryable else FailureKind.INVALID
                failure = Failed(move.id, kind, error.message, wasted)
            if kind is FailureKind.INVALID or pause_s is None:
                break
            await asyncio.sleep(pause_s)
        return failure

    async def _call(self, move: Move, key: str, problem: str, max_tokens: int) -> Outcome:
        if isinstance(move, Sample):
            return await self._sample(move, key, problem, max_tokens)
        return await self._score(move, key, problem)

    async def _sample(self, move: Sample, key: str, problem: str, max_tokens: int) -> Outcome:
        done = await self.policy.sample(
            SampleRequest(key, problem, move.prefix, move.seed, max_tokens, move.stop, move.temperature, move.top_p)
        )
        # A token of probability 0 (by top-p, or by rounding) has no logarithm that JSON could hold.
        logprob = done.logprob if done.logprob is not None and math.isfinite(done.logprob) else None
        return Sampled(move.id, done.text, done.finish, done.answer, logprob, done.cost)

    async def _score(self, move: Score, key: str, problem: str) -> Outcome:
        if self.verifier is None:
            raise EngineError("this stack has no verifier: choose a strategy without one", retryable=False)
        done = await self.verifier.score(ScoreRequest(key, problem, move.solution, move.seed, move.max_tokens))
        if not all(0.0 <= score <= 1.0 for score in done.scores):
            return Failed(move.id, FailureKind.INVALID, "the verifier gave a score outside of 0 to 1", done.cost)
        return Scored(move.id, done.scores, done.cost)
