"""A job as the response of OpenAI's API. What that API has no word for stands in the member `deliberate`, which its
clients keep and ignore: the answer, how sure it is, what it cost, and the native job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.codec import encode
from domain.facade.facts import JobFacts, ResponseFacts
from domain.facade.items import Item, answer_item
from domain.facade.usage import native_usage, response_usage
from domain.job import FINAL, JobError, JobStatus
from domain.moves import split_steps
from domain.recipe import spec_to_json

JOBS = "/v1/reasoning/jobs"
INCOMPLETE = "max_output_tokens"
"""The only reason of OpenAI's list that fits: the search came to the end of what it was given. `deliberate.stop_reason`
says which end."""


def response_view(record: ResponseFacts) -> dict[str, Any]:
    """The response as it is now. An ended job needs its output (`ResponseFacts.shown`)."""
    job = record.job
    ended = job.status in FINAL
    return {
        **_frame(record),
        "status": job.status.value,
        "completed_at": int(job.ended_at.timestamp()) if job.ended_at and job.status is JobStatus.COMPLETED else None,
        "error": error_view(job.error),
        "incomplete_details": {"reason": INCOMPLETE} if job.status is JobStatus.INCOMPLETE else None,
        "output": output_items(record) if ended else [],
        "usage": response_usage(record) if ended else None,
        "deliberate": own_view(job),
    }


def opening_view(record: ResponseFacts, status: str) -> dict[str, Any]:
    """The response as it was when it was made or begun: the same whenever it is asked for."""
    empty: dict[str, Any] = {
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    return {**_frame(record), "status": status, **empty, "deliberate": {"job_id": record.job.id}}


def output_items(record: ResponseFacts) -> list[Item]:
    """The chain of steps where it was asked for, then the message; nothing when nothing was found."""
    if not record.shown:
        return []
    return ([reasoning_item(record)] if record.request.get("summary") else []) + [message_item(record)]


def reasoning_item(record: ResponseFacts) -> Item:
    steps = split_steps(record.shown[0]["text"]) if record.shown else ()
    summary = [{"type": "summary_text", "text": step} for step in steps]
    return {"id": _item_id("rs", record), "type": "reasoning", "summary": summary, "status": _item_status(record.job)}


def message_item(record: ResponseFacts) -> Item:
    shown: Mapping[str, Any] = record.shown[0] if record.shown else {"text": "", "answer": None}
    return {"id": _item_id("msg", record)} | answer_item(shown_text(record, shown), _item_status(record.job))


def shown_text(record: ResponseFacts, shown: Mapping[str, Any]) -> str:
    """A whole solution, or its answer alone when the caller asked for few words."""
    if record.request.get("verbosity") == "low" and shown["answer"] is not None:
        return str(shown["answer"])
    return str(shown["text"])


def own_view(job: JobFacts) -> dict[str, Any]:
    verdict = job.verdict
    return {
        "job_id": job.id,
        "job_url": f"{JOBS}/{job.id}",
        "answer": verdict.answer if verdict else None,
        "confidence": verdict.confidence if verdict else None,
        "confidence_kind": verdict.confidence_kind.value if verdict else None,
        "why": verdict.why if verdict else None,
        "candidates": encode(verdict.candidates) if verdict else [],
        "stop_reason": job.stop_reason.value if job.stop_reason else None,
        "error_code": job.error.code if job.error else None,
        "cancel_requested": job.cancel_requested,
        "strategy": spec_to_json(job.strategy),
        "budget": encode(job.budget),
        "seed": job.seed,
        "usage": native_usage(job) if job.status in FINAL else None,
    }


def error_view(error: JobError | None) -> dict[str, str] | None:
    """`code` comes from a closed list of OpenAI's; `deliberate.error_code` says more."""
    return None if error is None else {"code": "server_error", "message": error.message}


def _frame(record: ResponseFacts) -> dict[str, Any]:
    """What never changes."""
    asked = record.request
    return {
        "id": record.id,
        "object": "response",
        "created_at": int(record.job.created_at.timestamp()),
        "background": asked["background"],
        "instructions": asked["instructions"],
        "max_output_tokens": asked["max_tokens"],
        "max_tool_calls": None,
        "metadata": dict(record.job.metadata),
        "model": record.model,
        "parallel_tool_calls": True,
        "previous_response_id": asked["previous_response_id"],
        "prompt_cache_key": asked["prompt_cache_key"],
        "reasoning": {"effort": asked["effort"], "summary": asked["summary"]},
        "safety_identifier": asked["safety_identifier"],
        "service_tier": "default",
        "store": record.stored,
        "temperature": asked["temperature"],
        "text": {"format": {"type": "text"}, "verbosity": asked["verbosity"]},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": asked["top_p"],
        "truncation": "disabled",
        "user": asked["user"],
    }


def _item_id(prefix: str, record: ResponseFacts) -> str:
    return f"{prefix}_{record.id.partition('_')[2]}"


def _item_status(job: JobFacts) -> str:
    return "completed" if job.status is JobStatus.COMPLETED else "incomplete"
