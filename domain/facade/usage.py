"""What a response says it has used. Every token that a policy or a verifier processed is in it, once.

* input tokens: what the policy was given to read, over all calls of the search; of these, cached tokens: what this
  search had had it read or write before, which FLOPs leave out;
* output tokens: what the policy wrote and the verifier read, which is what `max_output_tokens` limits;
* of these, reasoning tokens: all but the solutions that are shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from domain.facade.facts import JobFacts, ResponseFacts


class Tokens(NamedTuple):
    read: int
    written: int
    reasoning: int


def tokens_used(record: ResponseFacts) -> Tokens:
    spend = record.job.spend
    visible = sum(one["tokens"] for one in record.shown or ())
    return Tokens(spend.prompt_tokens, spend.tokens, max(0, spend.tokens - visible))


def response_usage(record: ResponseFacts) -> dict[str, Any]:
    read, written, reasoning = tokens_used(record)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": record.job.spend.cached_prompt_tokens, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }


def chat_usage(record: ResponseFacts) -> dict[str, Any]:
    read, written, reasoning = tokens_used(record)
    return {
        "prompt_tokens": read,
        "prompt_tokens_details": {"cached_tokens": record.job.spend.cached_prompt_tokens, "audio_tokens": 0},
        "completion_tokens": written,
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "total_tokens": read + written,
    }


def native_usage(job: JobFacts) -> dict[str, Any]:
    """What the native API says of the same."""
    return {
        "prompt_tokens": job.spend.prompt_tokens,
        "generated_tokens": job.spend.generated_tokens,
        "verified_tokens": job.spend.verified_tokens,
        "cached_tokens": job.spend.cached_tokens,
        "flops": job.spend.flops,
        "rollouts": job.spend.rollouts,
        "verifier_calls": job.spend.verifier_calls,
        "seconds": round(job.seconds, 3),
        "queue_seconds": round(job.queue_seconds, 3),
    }
