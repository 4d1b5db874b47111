"""Engine calls in chunks, and what is kept of their results.

Law: a chunk's results depend on the chunk and the model alone: it runs through an engine that remembers nothing, from
its first call to its last, so that no other chunk's rows share a batch with its own (batches differ by rounding).
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from domain.errors import EngineError
from domain.moves import Answer, FinishReason
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure

TRIES = 3
"""Attempts of a call whose failures may pass."""

SMALLEST, LARGEST = 256, 2048
"""A chunk's calls: enough of them that the thin end of its batch costs little, and few enough to lose in a kill."""
CHUNKS = 32
"""Chunks that a small stage is cut into, so that several workers have something to do."""

Request: TypeAlias = SampleRequest | ScoreRequest


@dataclass(frozen=True, slots=True)
class Rollout:
    """A sampled text, as far as it was asked to be kept."""

    key: str
    text: str
    """What follows the prefix; empty where texts are not kept."""
    finish: FinishReason
    answer: Answer | None
    logprob: float | None
    """Sum of the sampled tokens' natural log-probabilities at temperature 1."""
    prompt_tokens: int
    tokens: int
    """Tokens that were drawn."""


@dataclass(frozen=True, slots=True)
class StepReading:
    """A verifier's scores of one solution."""

    key: str
    scores: tuple[float, ...] | None
    """One probability a step; None where the verifier refused the text (too long for it)."""


Result: TypeAlias = Rollout | StepReading


@dataclass(frozen=True, slots=True)
class Model:
    """What a worker loads."""

    kind: str
    """`policy` or `verifier`."""
    spec: str
    rows: int | None = None
    """Bound of the running batch; None: the engine's own."""
    threads: int = 1
    device: str = "auto"

    def load(self) -> Any:
        """The engine or the verifier. Raises ConfigurationError. Torch comes in here and not before."""
        if self.kind == "policy":
            from inference.engines.factory import load_policy

            return load_policy(self.spec, threads=self.threads, device=self.device, rows=self.rows)
        from inference.verifiers.factory import load_verifier

        return load_verifier(self.spec, threads=self.threads, device=self.device, rows=self.rows)


@dataclass(frozen=True, slots=True)
class Chunk:
    name: str
    requests: tuple[Request, ...]
    texts: bool = True
    """Whether sampled texts are kept."""

    @property
    def digest(self) -> str:
        """Of everything that is asked."""
        return hashlib.blake2b(repr((self.texts, self.requests)).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Ran:
    """A chunk's results, in the order of its requests."""

    chunk: Chunk
    results: tuple[Result, ...]
    seconds: float


def run_chunk(core: Any, chunk: Chunk) -> Ran:
    """Raises EngineError when a call fails for good."""
    began = time.monotonic()
    core.reset()
    found: dict[str, Result] = {}
    for request in chunk.requests:
        refused = _added(core, request)
        if refused is not None:
            found[request.key] = refused
    for result in _drained(core, {request.key: request for request in chunk.requests}):
        found[result.key] = _kept(result, chunk.texts)
    return Ran(chunk, tuple(found[request.key] for request in chunk.requests), time.monotonic() - began)


def _added(core: Any, request: Request) -> StepReading | None:
    """None, or the refusal of a text that the verifier can't read as a whole."""
    try:
        core.add(request)
    except EngineError:
        if isinstance(request, SampleRequest):
            raise
        return StepReading(request.key, None)
    return None


def _drained(core: Any, requests: dict[str, Request]) -> Iterator[Completion | StepScores]:
    failed: Counter[str] = Counter()
    while core.pending:
        for result in core.step():
            if not isinstance(result, CallFailure):
                yield result
                continue
            failed[result.key] += 1
            if not result.retryable or failed[result.key] >= TRIES:
                raise result.error()
            core.add(requests[result.key])


def _kept(result: Completion | StepScores, texts: bool) -> Result:
    if isinstance(result, StepScores):
        return StepReading(result.key, result.scores)
    cost = result.cost
    text = result.text if texts else ""
    return Rollout(
        result.key, text, result.finish, result.answer, result.logprob, cost.prompt_tokens, cost.generated_tokens
    )


def to_row(result: Result) -> dict[str, Any]:
    return asdict(result)


def from_row(row: dict[str, Any]) -> Result:
    """Raises KeyError, TypeError or ValueError for what is no result."""
    if "scores" in row:
        scores = row["scores"]
        return StepReading(row["key"], None if scores is None else tuple(scores))
    answer = Answer(**row["answer"]) if row["answer"] is not None else None
    return Rollout(**row | {"finish": FinishReason(row["finish"]), "answer": answer})


def chunks_of(stage: str, requests: Sequence[Request], *, texts: bool = True) -> list[Chunk]:
    """Requests cut into chunks of about equal size, by their number alone and not by how many workers there are."""
    size = min(LARGEST, max(SMALLEST, -(-len(requests) // CHUNKS)))
    starts = range(0, len(requests), size)
    return [Chunk(f"{stage}/{at}", tuple(requests[start : start + size]), texts) for at, start in enumerate(starts)]
