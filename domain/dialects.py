"""What the lines of a batch mean, by its endpoint: body → a job, and an ended job → the body of the answer.

OpenAI's endpoints are read and shown by `domain.facade`, as single requests are. Law: both directions are pure: a line
that is read again gives the same job, and an answer that is written again is the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.batch import CHAT, NATIVE, confidence_of
from domain.budget import Budget, parse_budget
from domain.codec import encode
from domain.effort import parse_search
from domain.errors import InvalidRequest
from domain.facade.asked import Asked, read_chat, read_response
from domain.facade.chat_views import completion_view
from domain.facade.facts import JobFacts
from domain.facade.models import Catalogue
from domain.facade.refusals import unsupported
from domain.facade.usage import native_usage
from domain.facade.views import response_view
from domain.problem import Problem, parse_problem
from domain.recipe import StrategySpec, spec_to_json

LARGEST_SEED = 2**63 - 1
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
_NATIVE_MEMBERS = ("problem", "strategy", "effort", "budget", "confidence", "seed", "metadata")
Shown = Sequence[Mapping[str, Any]]
"""Solutions with `text`, `answer` and `tokens`, the verdict's first."""


@dataclass(frozen=True, slots=True)
class LineRequest:
    """What a line asks for: a job without its id, tenant and place in the queue."""

    problem: Problem
    strategy: StrategySpec
    budget: Budget
    confidence: float | None
    seed: int | None
    """None: the batch derives one from the line's number."""
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Response:
    """Implements `domain.facade.facts.ResponseFacts` for a line: nobody can read it but in the batch's output."""

    id: str
    model: str
    request: Mapping[str, Any]
    stored: bool
    shown: Shown | None
    job: JobFacts


class Dialects:
    """Reads and shows the lines of all endpoints."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def request(self, endpoint: str, body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
        """Raises InvalidRequest, whose `param` is relative to the body, and UnknownModel."""
        if endpoint == NATIVE:
            return _native(body, defaults)
        asked = self._asked(endpoint, body)
        try:
            # What a request says of its search is all there is: a default of the batch beside it would be another one.
            return _native(asked.members, {"budget": defaults.get("budget")})
        except InvalidRequest as error:
            raise asked.in_callers_words(error) from None

    def choices(self, endpoint: str, body: Mapping[str, Any]) -> int:
        """How many solutions the answer shows."""
        return 0 if endpoint == NATIVE else int(self._asked(endpoint, body).echo.get("choices", 1))

    def answer(self, endpoint: str, body: Mapping[str, Any], job: JobFacts, shown: Shown) -> dict[str, Any]:
        """The body of a finished line's answer; `body` is the line's own (native answers don't read it)."""
        if endpoint == NATIVE:
            return _native_answer(job)
        asked = self._asked(endpoint, body)
        prefix = "chatcmpl" if endpoint == CHAT else "resp"
        echo = dict(asked.echo) | {"background": True}
        record = _Response(f"{prefix}_{job.id.partition('_')[2]}", asked.model, echo, False, shown, job)
        return completion_view(record) if endpoint == CHAT else response_view(record)

    def _asked(self, endpoint: str, body: Mapping[str, Any]) -> Asked:
        asked = read_chat(body, self._catalogue) if endpoint == CHAT else self._response(body)
        if asked.stream:
            raise unsupported("stream", "a line of a batch is not streamed: leave stream out")
        return asked

    def _response(self, body: Mapping[str, Any]) -> Asked:
        if body.get("previous_response_id") is not None:
            raise unsupported("previous_response_id", "a line of a batch stands alone: send the whole conversation")
        return read_response(body, (), self._catalogue)


def _native(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    for name, value in body.items():
        if name not in _NATIVE_MEMBERS and value is not None:
            raise InvalidRequest(
                f"unknown member {name[:64]!r}: a line takes {', '.join(_NATIVE_MEMBERS)}", param=name[:64]
            )
    if body.get("problem") is None:
        raise InvalidRequest("problem is missing: send the text of the problem", param="problem")
    # A line that says how to search says it all: a default effort beside its own strategy would be a contradiction.
    search = body if body.get("strategy") is not None or body.get("effort") is not None else defaults
    confidence, budget = body.get("confidence"), body.get("budget")
    return LineRequest(
        problem=parse_problem(body["problem"]),
        strategy=parse_search(search.get("strategy"), search.get("effort")),
        budget=parse_budget(defaults.get("budget") if budget is None else budget),
        confidence=confidence_of(defaults.get("confidence") if confidence is None else confidence),
        seed=_seed(body.get("seed")),
        metadata=_metadata(body.get("metadata")),
    )


def _seed(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_SEED:
        raise InvalidRequest(f"seed must be a whole number from 0 to {LARGEST_SEED}", param="seed")
    return value


def _metadata(value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or len(value) > MOST_METADATA or not all(map(_short, value.items())):
        raise InvalidRequest(f"metadata must be an object of at most {MOST_METADATA} short strings", param="metadata")
    return tuple(value.items())


def _short(pair: tuple[str, object]) -> bool:
    name, text = pair
    return 1 <= len(name) <= LONGEST_KEY and isinstance(text, str) and len(text) <= LONGEST_VALUE


def _native_answer(job: JobFacts) -> dict[str, Any]:
    verdict = job.verdict
    assert verdict is not None  # it has ended
    return {
        "id": job.id,
        "object": "reasoning.job",
        "status": job.status.value,
        "answer": verdict.answer,
        "confidence": verdict.confidence,
        "confidence_kind": verdict.confidence_kind.value,
        "stop_reason": None if job.stop_reason is None else job.stop_reason.value,
        "solution": verdict.solution,
        "why": verdict.why,
        "candidates": encode(verdict.candidates),
        "error": encode(job.error),
        "usage": native_usage(job),
        "strategy": spec_to_json(job.strategy),
        "budget": encode(job.budget),
        "seed": job.seed,
        "metadata": dict(job.metadata),
        "created_at": round(job.created_at.timestamp(), 3),
        "ended_at": None if job.ended_at is None else round(job.ended_at.timestamp(), 3),
    }
