"""What a batch's endpoint means: its body → a job, and an ended job → the body of the answer. One module to swap.

Law: both directions are pure, so that a line that is read again gives the same job, and an answer that is written
again is the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.batch import CHAT, NATIVE, RESPONSES, confidence_of
from domain.budget import NO_COST, Budget, Spend, parse_budget
from domain.codec import encode
from domain.effort import parse_search
from domain.errors import InvalidRequest
from domain.job import JobError, JobStatus
from domain.problem import Problem, parse_problem
from domain.recipe import StrategySpec
from domain.verdict import StopReason, Verdict

LARGEST_SEED = 2**63 - 1
_NATIVE_MEMBERS = ("problem", "strategy", "effort", "budget", "confidence", "seed", "metadata")
_CHAT_FINISH = {JobStatus.COMPLETED: "stop", JobStatus.INCOMPLETE: "length"}


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
class EndedJob:
    """A job at its end, as an answer tells it."""

    id: str
    status: JobStatus
    reason: StopReason
    verdict: Verdict
    error: JobError | None
    created_s: float
    """Unix seconds, likewise `ended_s`."""
    ended_s: float
    seconds: float
    """Wall-clock since its first claim."""
    spend: Spend = NO_COST
    strategy: StrategySpec | None = None
    metadata: tuple[tuple[str, str], ...] = ()


def parse_body(endpoint: str, body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    """Raises InvalidRequest, whose `param` is relative to the body."""
    return {NATIVE: _native, CHAT: _chat, RESPONSES: _responses}[endpoint](body, defaults)


def answer_body(endpoint: str, body: Mapping[str, Any], job: EndedJob) -> dict[str, Any]:
    """The body of a finished line's answer; `body` is the line's own (native answers don't read it)."""
    return {NATIVE: _native_answer, CHAT: _chat_answer, RESPONSES: _responses_answer}[endpoint](body, job)


# ------------------------------------------------------------------------------------------------- native


def _native(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    for name in body:
        if name not in _NATIVE_MEMBERS:
            raise InvalidRequest(f"unknown member {name[:64]!r}: use {', '.join(_NATIVE_MEMBERS)}", param=name[:64])
    if body.get("problem") is None:
        raise InvalidRequest("problem is missing: send the text of the problem", param="problem")
    return _request(parse_problem(body["problem"]), body, defaults)


def _request(problem: Problem, body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    # A line that says how to search says it all: a default effort beside its own strategy would be a contradiction.
    search = body if body.get("strategy") is not None or body.get("effort") is not None else defaults
    confidence = body.get("confidence")
    budget = body.get("budget")
    return LineRequest(
        problem=problem,
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
    pairs = value.items() if isinstance(value, Mapping) and len(value) <= 16 else ()
    if not isinstance(value, Mapping) or len(value) > 16 or not all(_short(*pair) for pair in pairs):
        raise InvalidRequest("metadata must be an object of at most 16 short strings", param="metadata")
    return tuple((name, text) for name, text in pairs)


def _short(name: str, text: object) -> bool:
    return 1 <= len(name) <= 64 and isinstance(text, str) and len(text) <= 512


def _native_answer(_: Mapping[str, Any], job: EndedJob) -> dict[str, Any]:
    verdict = job.verdict
    return {
        "id": job.id,
        "object": "reasoning.job",
        "status": job.status.value,
        "answer": verdict.answer,
        "confidence": verdict.confidence,
        "confidence_kind": verdict.confidence_kind.value,
        "stop_reason": job.reason.value,
        "solution": verdict.solution,
        "why": verdict.why,
        "error": encode(job.error),
        "usage": {
            "generated_tokens": job.spend.generated_tokens,
            "verified_tokens": job.spend.verified_tokens,
            "flops": job.spend.flops,
            "rollouts": job.spend.rollouts,
            "verifier_calls": job.spend.verifier_calls,
            "seconds": round(job.seconds, 3),
        },
        "metadata": dict(job.metadata),
        "created_at": round(job.created_s, 3),
        "ended_at": round(job.ended_s, 3),
    }


# ------------------------------------------------------------------------------------------------- OpenAI


def _chat(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages must be a list with at least one message", param="messages")
    parts = [part for index, one in enumerate(messages) for part in _message(one, f"messages.{index}")]
    return _openai(parts, body, body.get("reasoning_effort"), defaults)


def _responses(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> LineRequest:
    given = body.get("input")
    parts = [] if body.get("instructions") is None else [_text(body["instructions"], "instructions")]
    if isinstance(given, str):
        parts.append(_text(given, "input"))
    elif isinstance(given, list) and given:
        parts += [part for index, one in enumerate(given) for part in _message(one, f"input.{index}")]
    else:
        raise InvalidRequest("input must be a string or a list of messages", param="input")
    reasoning = body.get("reasoning")
    return _openai(parts, body, reasoning.get("effort") if isinstance(reasoning, Mapping) else None, defaults)


def _openai(
    parts: list[dict[str, Any]], body: Mapping[str, Any], effort: object, defaults: Mapping[str, Any]
) -> LineRequest:
    if not isinstance(body.get("model"), str):
        raise InvalidRequest("model is missing: see GET /v1/models", param="model")
    chosen = {name: body[name] for name in ("seed", "metadata", "strategy", "budget", "confidence") if name in body}
    chosen["effort"] = "max" if effort == "xhigh" else effort
    return _request(parse_problem(parts), chosen, defaults)


def _message(message: object, where: str) -> list[dict[str, Any]]:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return [_text(content, f"{where}.content")]
    if isinstance(content, list):
        return content
    raise InvalidRequest("a message needs its content: a string or a list of parts", param=f"{where}.content")


def _text(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, str):
        raise InvalidRequest("must be a string", param=where)
    return {"type": "text", "text": value}


def _chat_answer(body: Mapping[str, Any], job: EndedJob) -> dict[str, Any]:
    prompt, written = job.spend.prompt_tokens, job.spend.generated_tokens
    message = {"role": "assistant", "content": _said(job), "refusal": None}
    choice = {
        "index": 0, "message": message, "finish_reason": _CHAT_FINISH.get(job.status, "stop"), "logprobs": None
    }  # fmt: skip
    return {
        "id": f"chatcmpl_{job.id.partition('_')[2]}",
        "object": "chat.completion",
        "created": int(job.created_s),
        "model": body.get("model", ""),
        "choices": [choice],
        "usage": {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written},
    }


def _responses_answer(body: Mapping[str, Any], job: EndedJob) -> dict[str, Any]:
    key = job.id.partition("_")[2]
    text = {"type": "output_text", "text": _said(job), "annotations": []}
    message = {"id": f"msg_{key}", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    whole = job.status is JobStatus.COMPLETED
    return {
        "id": f"resp_{key}",
        "object": "response",
        "created_at": int(job.created_s),
        "completed_at": int(job.ended_s) if whole else None,
        "status": "completed" if whole else "incomplete",
        "background": True,
        "error": None,
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "instructions": body.get("instructions"),
        "metadata": dict(job.metadata),
        "model": body.get("model", ""),
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": openai_usage(job.spend),
    }


def openai_usage(spend: Spend) -> dict[str, Any]:
    """All that was written is reasoning but the answer, which is part of the solution that stands for it."""
    return {
        "input_tokens": spend.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": spend.generated_tokens,
        "output_tokens_details": {"reasoning_tokens": spend.generated_tokens},
        "total_tokens": spend.prompt_tokens + spend.generated_tokens,
    }


def _said(job: EndedJob) -> str:
    return job.verdict.solution or job.verdict.answer or ""
