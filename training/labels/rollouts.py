"""Rollouts and step scores of many problems, from our own engines, journaled.

Law: what is measured is what is served: the same prompts, sampling, answer extraction and step scores. A request's
rollout is the same whoever draws it and however often the run was killed on the way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

from domain.errors import EngineError
from domain.ids import derive_seed
from domain.ports import SampleRequest, ScoreRequest
from training.labels.calls import Request, Result, Rollout, StepReading, chunks_of
from training.labels.journal import Journal
from training.labels.pools import Pool
from training.problems.files import ProblemRecord
from training.progress import say

SAY_EVERY_S = 5.0
_Kind = TypeVar("_Kind", Rollout, StepReading)


def sample_many(
    policy: Pool, requests: Sequence[SampleRequest], journal: Journal, *, stage: str, texts: bool = True
) -> list[Rollout]:
    """A rollout for each request, in their order; those in the journal are not drawn again.

    `stage` names this set of requests within the journal. Raises EngineError, ConfigurationError or Unavailable; the
    journal then holds what was drawn until then.
    """
    return _typed(_run(policy, requests, journal, stage, texts), Rollout)


def score_many(verifier: Pool, requests: Sequence[ScoreRequest], journal: Journal, *, stage: str) -> list[StepReading]:
    """As `sample_many`. A text that the verifier can't read as a whole has scores None."""
    return _typed(_run(verifier, requests, journal, stage, True), StepReading)


def solution_requests(
    problems: Sequence[ProblemRecord], samples: int, *, temperature: float, max_tokens: int, seed: int
) -> list[SampleRequest]:
    """`samples` whole solutions of each problem; a problem's n-th one has the same seed whatever else is sampled."""
    return [
        SampleRequest(
            key=f"{at}/{index}",
            problem=problem.problem,
            prefix="",
            seed=derive_seed(seed, problem.id, index),
            max_tokens=max_tokens,
            temperature=temperature,
        )
        for at, problem in enumerate(problems)
        for index in range(samples)
    ]


def _run(pool: Pool, requests: Sequence[Request], journal: Journal, stage: str, texts: bool) -> list[Result]:
    chunks = chunks_of(stage, requests, texts=texts)
    found = {chunk.name: results for chunk in chunks if (results := journal.get(chunk)) is not None}
    progress = _Progress(stage, len(requests), sum(map(len, found.values())))
    for ran in pool.run([chunk for chunk in chunks if chunk.name not in found]):
        journal.add(ran)
        found[ran.chunk.name] = ran.results
        progress.more(len(ran.results))
    return [result for chunk in chunks for result in found[chunk.name]]


def _typed(results: Sequence[Result], kind: type[_Kind]) -> list[_Kind]:
    typed = [result for result in results if isinstance(result, kind)]
    if len(typed) != len(results):
        raise EngineError("the journal holds results of another kind: delete it", retryable=False)
    return typed


class _Progress:
    """Lines on stderr, a few seconds apart."""

    def __init__(self, stage: str, total: int, done: int) -> None:
        self._stage, self._total, self._done, self._before = stage, total, done, done
        self._began = self._said = time.monotonic()

    def more(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said < SAY_EVERY_S and self._done < self._total:
            return
        self._said = now
        rate = (self._done - self._before) / max(now - self._began, 1e-9)
        left_s = (self._total - self._done) / rate
        say(f"{self._stage}: {self._done}/{self._total}, {rate:,.0f} a second, {left_s:,.0f} s left")
