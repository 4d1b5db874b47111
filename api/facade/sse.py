"""Server-sent events (WHATWG HTML, 9.2) as OpenAI's clients read them, with pings that they skip.

An error after the headers is the last event: its member `error` makes those clients raise.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request
from starlette.responses import StreamingResponse

from api.json_response import Json
from api.problems import HttpProblem, problem_body, problem_of
from domain.errors import DeliberateError

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"
_LINE_ENDS = tuple((mark.encode(), f"\\u{ord(mark):04x}".encode()) for mark in "\x85\u2028\u2029")
"""JSON may hold them as they are; readers that split text into lines as Unicode does would end a line there."""
HEADERS = {"X-Accel-Buffering": "no"}
"""Proxies must not gather what is to be seen at once."""


def event_stream(request: Request, events: AsyncIterator[bytes], headers: Mapping[str, str]) -> StreamingResponse:
    told = HEADERS | dict(headers)
    return StreamingResponse(_until_error(request, events), media_type="text/event-stream", headers=told)


def typed(data: dict[str, Any]) -> bytes:
    """An event that is named by its `type`; its number is where a reader that reconnects goes on (`Last-Event-ID`)."""
    return f"id: {data['sequence_number']}\nevent: {data['type']}\n".encode() + untyped(data)


def untyped(data: dict[str, Any]) -> bytes:
    body = bytes(Json(data).body)
    for raw, escaped in _LINE_ENDS:
        body = body.replace(raw, escaped)
    return b"data: " + body + b"\n\n"


async def _until_error(request: Request, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield event
    except (HttpProblem, DeliberateError) as error:
        body = problem_body(problem_of(error), getattr(request.state, "request_id", None))
        yield b"event: error\ndata: " + json.dumps(body).encode() + b"\n\n"
