"""No request body is larger than the limit, whether it says its length or comes in chunks (the framework has none)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import HttpProblem, problem_response

LARGEST_BODY = 1024 * 1024


class BodyLimit:
    def __init__(self, app: ASGIApp, limit: int = LARGEST_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if _declared(scope) > self._limit:
            return await problem_response(self._too_large(), scope["state"].get("request_id"))(scope, receive, send)
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise self._too_large()
            return message

        return count

    def _too_large(self) -> HttpProblem:
        return HttpProblem(
            413,
            "request_too_large",
            f"The body is larger than {self._limit} bytes: shorten it.",
            headers={"Connection": "close"},
        )


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:19])
    return 0
