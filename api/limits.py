"""No request body is larger than the limit, whether it says its length or comes in chunks (the framework has none)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import HttpProblem, problem_response

LARGEST_BODY = 1024 * 1024
FORM_BYTES = 64 * 1024
"""Room for what a form puts around a file."""


class BodyLimit:
    def __init__(self, app: ASGIApp, limit: int = LARGEST_BODY, larger: Mapping[str, int] | None = None) -> None:
        """`larger`: paths with another limit; their handlers must not hold a body whole."""
        self._app = app
        self._limit = limit
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = self._larger.get(scope["path"], self._limit)
        if _declared(scope) > limit:
            return await problem_response(_too_large(limit), scope["state"].get("request_id"))(scope, receive, send)
        await self._app(scope, _counting(receive, limit), send)


def _counting(receive: Receive, limit: int) -> Receive:
    size = 0

    async def count() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return count


def _too_large(limit: int) -> HttpProblem:
    return HttpProblem(
        413, "request_too_large", f"The body is larger than {limit} bytes: shorten it.", headers={"Connection": "close"}
    )


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:19])
    return 0
