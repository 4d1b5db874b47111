"""Engines driven to the end on the calling thread.

Law: what is measured is what is served: the same prompts, sampling, answer extraction and step scores; a call that
failed ends the run with its reason, and never becomes a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from domain.errors import EngineError
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from evaluation.report import Ticker


def drained(core: Any, ticker: Ticker) -> Iterator[Completion | StepScores]:
    """Steps until every call came back; more may be added meanwhile. Raises EngineError."""
    while core.pending:
        for result in core.step():
            if not isinstance(result, Completion | StepScores):
                raise EngineError(f"a call failed: {result.message}", retryable=False)
            ticker.tick()
            yield result


def sampled(engine: Any, requests: Sequence[SampleRequest], name: str) -> dict[str, Completion]:
    """Completions by key. Raises EngineError."""
    for request in requests:
        engine.add(request)
    results = drained(engine, Ticker(name, len(requests)))
    return {result.key: result for result in results if isinstance(result, Completion)}


def scored(scorer: Any, pairs: Sequence[tuple[str, str]], name: str) -> dict[tuple[str, str], tuple[float, ...]]:
    """Step scores of (problem, solution) pairs; equal pairs are read once. Raises EngineError."""
    by_length = sorted(dict.fromkeys(pairs), key=lambda pair: len(pair[0]) + len(pair[1]))  # little padding
    distinct = {str(at): pair for at, pair in enumerate(by_length)}
    for key, (problem, solution) in distinct.items():
        scorer.add(ScoreRequest(key, problem, solution))
    results = drained(scorer, Ticker(name, len(distinct)))
    return {distinct[result.key]: result.scores for result in results if isinstance(result, StepScores)}
