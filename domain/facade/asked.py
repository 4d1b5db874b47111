"""A body of POST /v1/responses or /v1/chat/completions, read: the native job that it means, and what is kept beside it.

One reader for whoever takes such bodies: a request, or a line of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.conversation import Role, Turn
from domain.errors import InvalidRequest
from domain.facade.items import Item, chat_items, input_items, turns_of
from domain.facade.models import Catalogue
from domain.facade.parameters import boolean, check_format, check_others, one_of, text_or_none
from domain.facade.refusals import refused, unsupported
from domain.facade.wishes import CHAT_NAMES, OWN, RESPONSE_NAMES, Wishes, in_callers_words, native_members, read_wishes

VERBOSITIES = ("low", "medium", "high")
SUMMARIES = ("auto", "concise", "detailed")
ECHOED = ("user", "safety_identifier", "prompt_cache_key")

_RESPONSE = frozenset(
    {
        "input", "instructions", "max_output_tokens", "metadata", "model", "previous_response_id", "reasoning",
        "temperature", "text", "top_p", OWN,
    }
)  # fmt: skip
_CHAT = frozenset(
    {
        "messages", "max_completion_tokens", "max_tokens", "metadata", "model", "n", "reasoning_effort", "seed",
        "temperature", "top_p", OWN,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    endpoint: str
    """`responses` or `chat.completions`."""
    model: str
    members: Mapping[str, Any] = field(repr=False)
    """The body of a native submission."""
    items: Sequence[Item] = field(repr=False)
    """The conversation; new items have no ids yet."""
    echo: Mapping[str, Any] = field(repr=False)
    """What views of the job repeat of the request."""
    wishes: Wishes = field(repr=False)
    stored: bool
    stream: bool
    background: bool
    stream_usage: bool = False

    def in_callers_words(self, error: InvalidRequest) -> InvalidRequest:
        """For what a native reader says of `members`."""
        return in_callers_words(error, self.wishes)


def read_response(body: Mapping[str, Any], before: Sequence[Item], catalogue: Catalogue) -> Asked:
    """`before`: the conversation that previous_response_id names. Raises InvalidRequest, UnknownModel."""
    check_others(body, _RESPONSE)
    reasoning = _object(body, "reasoning")
    wishes = read_wishes(
        body, catalogue.resolve(body.get("model")), RESPONSE_NAMES, reasoning.get("effort"),
        body.get("max_output_tokens"),
    )  # fmt: skip
    items = [*before, *input_items(body.get("input", []))]
    instructions = text_or_none(body, "instructions")
    text = _object(body, "text")
    check_format(text.get("format"), "text.format")
    background, stored = boolean(body, "background", False), boolean(body, "store", True)
    if background and not stored:
        raise unsupported("store", "a response in the background must be stored: it is read later")
    request = _echo(body, wishes) | {
        "background": background,
        "instructions": instructions,
        "previous_response_id": body.get("previous_response_id"),
        "summary": one_of(reasoning.get("summary"), "reasoning.summary", SUMMARIES),
        "verbosity": one_of(text.get("verbosity"), "text.verbosity", VERBOSITIES) or "medium",
    }
    turns = ([Turn(Role.SYSTEM, instructions)] if instructions else []) + turns_of(items)
    return Asked(
        endpoint="responses",
        model=wishes.model.name,
        members=native_members(wishes, turns, body),
        items=items,
        echo=request,
        wishes=wishes,
        stored=stored,
        stream=boolean(body, "stream", False),
        background=background,
    )


def read_chat(body: Mapping[str, Any], catalogue: Catalogue) -> Asked:
    """Raises InvalidRequest, UnknownModel."""
    check_others(body, _CHAT)
    limit = "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"
    model = catalogue.resolve(body.get("model"))
    wishes = read_wishes(body, model, CHAT_NAMES, body.get("reasoning_effort"), body.get(limit))
    items = chat_items(body.get("messages"))
    verbosity = one_of(body.get("verbosity"), "verbosity", VERBOSITIES) or "medium"
    return Asked(
        endpoint="chat.completions",
        model=model.name,
        members=native_members(wishes, turns_of(items), body),
        items=items,
        echo=_echo(body, wishes) | {"choices": wishes.choices, "verbosity": verbosity},
        wishes=wishes,
        # A chat that nobody asked to forget is kept as every job is, for its owner to look into.
        stored=boolean(body, "store", True),
        stream=boolean(body, "stream", False),
        background=False,
        stream_usage=_stream_usage(_object(body, "stream_options")),
    )


def _echo(body: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
    echoed = {name: text_or_none(body, name) for name in ECHOED}
    return echoed | {
        "effort": wishes.shown_effort,
        "max_tokens": wishes.max_tokens,
        "temperature": wishes.temperature,
        "top_p": wishes.top_p,
    }


def _stream_usage(options: Mapping[str, Any]) -> bool:
    value = options.get("include_usage")
    if value is not None and not isinstance(value, bool):
        raise refused("stream_options.include_usage must be true or false", "stream_options.include_usage")
    return bool(value)


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(f"{name} must be an object", name)
    return value
