"""Parameters of OpenAI's API that this service does not have: ignored where they only tune, refused where they mean
something that the answer would not have.

Law: a parameter that is ignored never changes what an answer claims; one that can't be ignored is named in a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.facade.refusals import refused, unsupported

IGNORED = frozenset(
    {
        "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
        "service_tier", "parallel_tool_calls", "max_tool_calls", "truncation", "include", "stream_options", "verbosity",
        "prediction", "top_logprobs", "store", "stream", "background", "access_programs",
    }
)  # fmt: skip
"""Also those that are read elsewhere, where they mean something."""

_REFUSED = {
    "conversation": "conversations are not kept apart: use previous_response_id",
    "prompt": "there are no stored prompts: send the text as input",
    "context_management": "a conversation is never shortened: send what the policy is to see",
    "moderation": "this service does not moderate",
    "audio": "this service writes text only",
    "web_search_options": "this service does not search the web",
    "image": "this policy reads text only",
    "functions": "this service calls no tools",
    "logit_bias": "a search has no single distribution to bias",
    "stop": "a search ends its solutions by itself",
    "logprobs": "a search has no single distribution to report",
}  # fmt: skip
_NEUTRAL: tuple[Any, ...] = (None, False, 0, "", [], {}, "none", "auto")


def check_others(body: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse what is neither known nor harmless. Raises InvalidRequest."""
    for name, value in body.items():
        if name in known or name in IGNORED:
            continue
        _check(name, value)


def _check(name: str, value: Any) -> None:
    if name in _REFUSED:
        if value not in _NEUTRAL:
            raise unsupported(name, f"{name} is not supported: {_REFUSED[name]}")
    elif name == "tools":
        if value:
            raise unsupported("tools", "tools are not supported: this service calls none")
    elif name in ("tool_choice", "function_call"):
        if value not in (None, "auto", "none"):
            raise unsupported(name, f"{name} must be 'auto' or 'none': this service calls no tools")
    elif name in ("presence_penalty", "frequency_penalty"):
        if value not in (None, 0):
            raise unsupported(name, f"{name} is not supported: leave it out")
    elif name == "modalities":
        if value not in (None, ["text"]):
            raise unsupported(name, "modalities must be ['text']: this service writes text only")
    elif name == "response_format":
        check_format(value, "response_format")
    else:
        raise refused(f"unknown parameter {name[:64]!r}", name[:64], "unknown_parameter")


def check_format(value: object, where: str) -> None:
    """Only text: a search is not bound to a grammar. Raises InvalidRequest."""
    if value is None:
        return
    if not isinstance(value, dict) or value.get("type") != "text":
        raise unsupported(f"{where}.type", f"{where}.type must be 'text': other formats are not supported")


def boolean(body: Mapping[str, Any], name: str, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refused(f"{name} must be true or false", name)
    return value


def text_or_none(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refused(f"{name} must be a string", name)
    return value


def one_of(value: object, name: str, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise refused(f"{name} must be one of {', '.join(choices)}", name)
    return None if value is None else str(value)


def whole(value: object, name: str, low: int, high: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refused(f"{name} must be a whole number from {low} to {high}", name)
    return value


def number(value: object, name: str, low: float, high: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise refused(f"{name} must be a number from {low:g} to {high:g}", name)
    return float(value)
