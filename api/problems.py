"""Errors as callers see them: RFC 9457 members, and beside them the `error` member that OpenAI's clients read.

Bad input never makes a 5xx, and no message repeats more of the input than the name or a short value at fault.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.json_response import Json
from domain.errors import (
    DeliberateError,
    IdempotencyConflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    RequestInFlight,
    Unavailable,
)

LONGEST_MESSAGE = 500
RETRY_AFTER_S = "2"
LONGEST_RETRY_S = 60.0
"""The oldest SDK obeys no longer wait, and would come again at once: it is told to stay away."""

_STATUS: tuple[tuple[type[DeliberateError], int], ...] = (
    (InvalidRequest, 422),
    (IdempotencyConflict, 422),
    (NotFound, 404),
    (RequestInFlight, 409),
    (LimitReached, 429),
    (Unavailable, 503),
)
_CODES = {404: "not_found", 405: "method_not_allowed"}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


class HttpProblem(Exception):
    """A refusal that only exists at the HTTP surface."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})


def problem_response(problem: HttpProblem, request_id: str | None) -> Json:
    body = problem_body(problem, request_id)
    return Json(body, problem.status, headers=problem.headers, media_type="application/problem+json")


def problem_body(problem: HttpProblem, request_id: str | None) -> dict[str, Any]:
    message = _short(problem.message)
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    return {
        "type": f"urn:deliberate:error:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": message,
        "request_id": request_id,
        "error": {"message": message, "type": kind, "param": problem.param, "code": problem.code},
    }


def not_ours(status: int = 500) -> HttpProblem:
    """The answer to a defect: nothing of it is shown; the log has its place under the request id."""
    return HttpProblem(status, "server_error", "The server failed on this request; its request_id is in our log.")


def install(app: FastAPI) -> None:
    """Every error that a route raises becomes a problem."""

    async def answer(request: Request, error: Exception) -> Json:
        problem = problem_of(error)
        if problem.status == 405:
            problem.headers |= allowed(request)
        return problem_response(problem, getattr(request.state, "request_id", None))

    for kind in (HttpProblem, DeliberateError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def allowed(request: Request) -> dict[str, str]:
    """The Allow header for all documented routes at this address: the framework names those of the first one only."""
    for path, item in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.url.path):
            return {"Allow": ", ".join(sorted(method.upper() for method in item))}
    return {}


def problem_of(error: Exception) -> HttpProblem:
    match error:
        case HttpProblem():
            return error
        case DeliberateError():
            return _of_domain(error)
        case RequestValidationError():
            return validation_problem(error)
        case HTTPException():
            return _of_http(error)
    return not_ours()


def _of_domain(error: DeliberateError) -> HttpProblem:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    if status is None:
        return not_ours()
    return HttpProblem(status, error.code, error.message, param=error.param, headers=_retry_headers(error))


def _retry_headers(error: DeliberateError) -> dict[str, str]:
    match error:
        case LimitReached():
            again = {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
            return again | ({"x-should-retry": "false"} if error.retry_after_s > LONGEST_RETRY_S else {})
        case RequestInFlight():
            return {"Retry-After": "1"}
        case Unavailable():
            return {"Retry-After": RETRY_AFTER_S}
    return {}


def validation_problem(error: RequestValidationError) -> HttpProblem:
    """The first complaint about a path, query or header parameter."""
    first = error.errors()[0]
    name = ".".join(part for part in first["loc"][1:] if isinstance(part, str)) or str(first["loc"][0])
    return HttpProblem(422, InvalidRequest.code, f"{name}: {first['msg']}", param=name)


def _of_http(error: HTTPException) -> HttpProblem:
    code = _CODES.get(error.status_code, "invalid_request")
    message = {
        404: "There is nothing at this address: see /openapi.json for the routes.",
        405: "This address does not take this method: see the Allow header.",
    }.get(error.status_code, HTTPStatus(error.status_code).phrase)
    return HttpProblem(error.status_code, code, message, headers=error.headers)


def _short(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
