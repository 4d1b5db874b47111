"""Files and batches as JSON, in the shapes of OpenAI's API and in our own. OpenAI's times are whole Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.budget import Spend
from domain.codec import encode
from storage.batches import BatchRecord, LineError
from storage.files import FileRecord

BATCHES = "/v1/reasoning/batches"


def file_view(file: FileRecord) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": whole(file.created_at),
        "expires_at": whole(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_view(batch: BatchRecord, errors: Sequence[LineError]) -> dict[str, Any]:
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": errors_view(errors),
        "input_file_id": batch.input_file,
        "completion_window": batch.completion_window,
        "status": batch.status.value,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        **{name: whole(at) for name, at in batch.times.items()},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": openai_usage(batch.spend),
        "metadata": dict(batch.metadata),
    }


def native_view(batch: BatchRecord, errors: Sequence[LineError], base: str) -> dict[str, Any]:
    url = f"{base}{BATCHES}/{batch.id}"
    return {
        "id": batch.id,
        "object": "reasoning.batch",
        "status": batch.status.value,
        "paused": batch.paused,
        "endpoint": batch.endpoint,
        "input_file_id": batch.input_file,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "counts": {
            "total": batch.total,
            "waiting": batch.waiting,
            "running": batch.running,
            "completed": batch.completed,
            "failed": batch.failed,
            "invalid": batch.invalid,
            "written": batch.written,
        },
        "usage": usage_view(batch),
        "estimate": estimate_view(batch),
        "budget": encode(batch.budget),
        "defaults": batch.defaults,
        "on_invalid_line": batch.on_invalid_line.value,
        "priority": batch.priority,
        "completion_window": batch.completion_window,
        "errors": [encode_error(error) for error in errors],
        "metadata": dict(batch.metadata),
        **{name: exact(at) for name, at in batch.times.items()},
        "status_url": url,
        "results_url": f"{url}/results",
        "cancel_url": f"{url}/cancel",
    }


def usage_view(batch: BatchRecord) -> dict[str, Any]:
    spend = batch.spend
    return {
        "prompt_tokens": spend.prompt_tokens,
        "generated_tokens": spend.generated_tokens,
        "verified_tokens": spend.verified_tokens,
        "cached_tokens": spend.cached_tokens,
        "flops": spend.flops,
        "rollouts": spend.rollouts,
        "verifier_calls": spend.verifier_calls,
        "seconds": round(batch.active_s, 3),
    }


def openai_usage(spend: Spend) -> dict[str, Any]:
    """As responses count (`domain.facade.usage`); which solutions were shown is not summed up."""
    return {
        "input_tokens": spend.prompt_tokens,
        "input_tokens_details": {"cached_tokens": spend.cached_prompt_tokens, "cache_write_tokens": 0},
        "output_tokens": spend.tokens,
        "output_tokens_details": {"reasoning_tokens": spend.tokens},
        "total_tokens": spend.prompt_tokens + spend.tokens,
    }


def estimate_view(batch: BatchRecord) -> dict[str, Any]:
    """Of the whole batch, by the mean of the lines so far; null before there are any."""
    done = batch.completed + batch.failed - batch.invalid
    todo = batch.waiting + batch.running
    if done <= 0 or batch.final:
        return {"seconds_left": 0.0 if batch.final else None, "tokens": None, "flops": None}
    share = (done + todo) / done
    tokens = None if batch.budget.tokens is None else batch.budget.tokens
    expected = round(batch.spend.tokens * share)
    return {
        "seconds_left": round(batch.active_s * todo / done, 1),
        "tokens": expected if tokens is None else min(expected, tokens),
        "flops": batch.spend.flops * share,
    }


def errors_view(errors: Sequence[LineError]) -> dict[str, Any] | None:
    return {"object": "list", "data": [encode_error(error) for error in errors]} if errors else None


def encode_error(error: LineError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "param": error.param, "line": error.line}


def whole(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def exact(at: datetime | None) -> float | None:
    return None if at is None else round(at.timestamp(), 3)
