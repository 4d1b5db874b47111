"""A job as a chat completion, whole and in chunks. `choices` are solutions of the one search, the verdict's first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.facade.facts import ResponseFacts
from domain.facade.log import pieces
from domain.facade.usage import chat_usage
from domain.facade.views import own_view, shown_text
from domain.job import JobStatus
from domain.verdict import StopReason

_NATURAL = frozenset({StopReason.CONFIDENCE, StopReason.COMPLETE, StopReason.BELOW_CONFIDENCE, StopReason.NO_ANSWER})
"""Ends at which nothing was cut short."""


def completion_view(record: ResponseFacts) -> dict[str, Any]:
    """Of an ended job with its output (`ResponseFacts.shown`)."""
    return {
        **_frame(record, "chat.completion"),
        "choices": [_choice(record, index, one) for index, one in enumerate(_shown(record))],
        "usage": chat_usage(record),
        "metadata": dict(record.job.metadata),
        "deliberate": own_view(record.job),
    }


def opening_chunks(record: ResponseFacts) -> Iterator[dict[str, Any]]:
    """Before anything is known: who speaks."""
    for index in range(record.request["choices"]):
        yield _chunk(record, index, {"role": "assistant", "content": ""}, None)


def closing_chunks(record: ResponseFacts, *, usage: bool) -> Iterator[dict[str, Any]]:
    """The output of an ended job, then how each choice ended, then (if asked for) what it took."""
    shown = _shown(record)
    for index, one in enumerate(shown):
        for piece in pieces(shown_text(record, one)):
            yield _chunk(record, index, {"content": piece}, None)
    for index in range(record.request["choices"]):
        yield _chunk(record, index, {}, _finish(record, bool(index < len(shown) and shown[index]["text"])))
    if usage:
        yield _frame(record, "chat.completion.chunk") | {
            "choices": [],
            "usage": chat_usage(record),
            "deliberate": own_view(record.job),
        }


def has_failed(record: ResponseFacts) -> bool:
    return record.job.status is JobStatus.FAILED


def _frame(record: ResponseFacts, kind: str) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": kind,
        "created": int(record.job.created_at.timestamp()),
        "model": record.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _shown(record: ResponseFacts) -> Sequence[Mapping[str, Any]]:
    """At least one, as clients read `choices[0]`."""
    return record.shown or [{"text": "", "answer": None, "tokens": 0}]


def _choice(record: ResponseFacts, index: int, one: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": shown_text(record, one),
        "refusal": None,
        "annotations": [],
    }
    return {"index": index, "message": message, "logprobs": None, "finish_reason": _finish(record, bool(one["text"]))}


def _finish(record: ResponseFacts, has_text: bool) -> str:
    return "stop" if has_text and record.job.stop_reason in _NATURAL else "length"


def _chunk(record: ResponseFacts, index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _frame(record, "chat.completion.chunk") | {"choices": [choice]}
