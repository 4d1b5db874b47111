"""The outermost layer: a request id on every response, one line in the access log, one count in the metrics.

It also is the last that sees a defect: the caller gets a plain 500, the log gets its type and place. Neither the log
nor a label ever holds a query, a header, a body or a path that is not one of ours.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import not_ours, problem_response
from domain.ids import is_id
from messaging.outage import describe

access = logging.getLogger("deliberate.access")
logger = logging.getLogger("deliberate.api")

UNMATCHED = "(unmatched)"
SHOWN_IDS = ("job", "whd", "whe", "resp")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id
        exchange = _Exchange(send, request_id, scope["state"])
        started = time.perf_counter()
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as error:
            logger.error("%s failed: %s", request_id, describe(error))
            if exchange.status:
                raise RuntimeError("the response broke off") from None
            await problem_response(not_ours(), request_id)(scope, receive, exchange.send)
        finally:
            self._record(scope, exchange.status, time.perf_counter() - started, request_id)

    def _record(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.request(method, route, status, seconds)
        access.info("%s %s %s %.1fms %s", method, _shown(scope, route), status or "-", seconds * 1000, request_id)


class _Exchange:
    """One response on its way out."""

    def __init__(self, send: Send, request_id: str, state: Mapping[str, Any]) -> None:
        self._send, self._state = send, state
        self._headers = [
            (b"x-request-id", request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        self.status = 0
        """0: nothing was sent yet."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._headers, *self._rate()]}
        await self._send(message)

    def _rate(self) -> list[tuple[bytes, bytes]]:
        """What the caller's rate limit says, where there is one (draft-ietf-httpapi-ratelimit-headers)."""
        headers: Mapping[str, str] = self._state.get("rate_headers", {})
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _shown(scope: Scope, route: str) -> str:
    """The route with the id in it, when it is a well-formed one of ours."""
    for name, value in scope.get("path_params", {}).items():
        if any(is_id(prefix, str(value)) for prefix in SHOWN_IDS):
            route = route.replace("{" + name + "}", value)
    return route
